#include "cache/format/rewrite.h"

#include <map>
#include <string>
#include <utility>

namespace hearth::cache {

namespace {

constexpr std::uint32_t kUnused = UINT32_MAX;

class Rewriter {
 public:
  Rewriter(const Manifest& from, const Rewriting& rewriting) : from_(from), rewriting_(rewriting) {}

  Manifest run() {
    result_.root_mode = from_.root_mode;
    result_.root_mtime = from_.root_mtime;
    choose_heirs();
    number_blocks();
    result_.entries.reserve(from_.entries.size());
    for (std::size_t index = 0; index < from_.entries.size(); ++index) add(index);
    return std::move(result_);
  }

 private:
  // Files that go, with the names that take their place: by path, the first link that stays.
  void choose_heirs() {
    for (std::size_t index = 0; index < from_.entries.size(); ++index) {
      const Entry entry = from_.entries[index];
      if (entry.kind != EntryKind::hard_link || !rewriting_.keeps(index)) continue;
      const std::size_t target = from_.entries.find(entry.target).value();
      if (!rewriting_.keeps(target)) heirs_.try_emplace(target, index);
    }
  }

  // The entry whose content the entry has: its own, or that which it inherits.
  std::size_t content_of(std::size_t index) const {
    const Entry entry = from_.entries[index];
    if (entry.kind != EntryKind::hard_link) return index;
    const std::size_t target = from_.entries.find(entry.target).value();
    const auto heir = heirs_.find(target);
    return heir != heirs_.end() && heir->second == index ? target : index;
  }

  void number_blocks() {
    std::vector<bool> used(rewriting_.blocks.size());
    for (std::size_t index = 0; index < from_.entries.size(); ++index) {
      if (!rewriting_.keeps(index)) continue;
      for (const Extent& extent : from_.entries[content_of(index)].extents) {
        if (extent.block != kHole) used[rewriting_.place(extent).block] = true;
      }
    }
    const std::vector<std::uint32_t> packs = number_packs(used);
    numbers_.assign(used.size(), kUnused);
    for (std::size_t index = 0; index < used.size(); ++index) {
      if (!used[index]) continue;
      Block block = rewriting_.blocks[index];
      if (block.pack == kInline) {
        const auto begin = rewriting_.inline_bytes.begin() + static_cast<std::ptrdiff_t>(block.offset);
        block.offset = result_.inline_bytes.size();
        result_.inline_bytes.insert(result_.inline_bytes.end(), begin, begin + block.stored_bytes);
      } else {
        block.pack = packs[block.pack];
      }
      numbers_[index] = static_cast<std::uint32_t>(result_.blocks.size());
      result_.blocks.push_back(block);
    }
  }

  std::vector<std::uint32_t> number_packs(const std::vector<bool>& used_blocks) {
    std::vector<std::uint32_t> numbers(rewriting_.packs.size(), kUnused);
    for (std::size_t index = 0; index < used_blocks.size(); ++index) {
      const std::uint32_t pack = rewriting_.blocks[index].pack;
      if (used_blocks[index] && pack != kInline) numbers[pack] = 0;
    }
    for (std::size_t index = 0; index < numbers.size(); ++index) {
      if (numbers[index] == kUnused) continue;
      numbers[index] = static_cast<std::uint32_t>(result_.packs.size());
      result_.packs.push_back(rewriting_.packs[index]);
    }
    return numbers;
  }

  void add(std::size_t index) {
    if (!rewriting_.keeps(index)) return;
    const std::size_t content = content_of(index);
    Entry entry = from_.entries[content];
    entry.path = from_.entries[index].path;
    std::string target;
    if (entry.kind == EntryKind::hard_link) {
      const auto heir = heirs_.find(from_.entries.find(entry.target).value());
      target = heir == heirs_.end() ? std::string(entry.target) : from_.entries[heir->second].path.text();
      entry.target = target;
    }
    std::vector<Extent> extents(entry.extents.begin(), entry.extents.end());
    for (Extent& extent : extents) {
      if (extent.block == kHole) continue;
      extent = rewriting_.place(extent);
      extent.block = numbers_[extent.block];
    }
    entry.extents = extents;
    result_.entries.add(entry);
  }

  const Manifest& from_;
  const Rewriting& rewriting_;
  std::map<std::size_t, std::size_t> heirs_;
  std::vector<std::uint32_t> numbers_;  // by block of the rewriting
  Manifest result_;
};

}  // namespace

Rewriting unchanged(const Manifest& from) {
  return {.keeps = [](std::size_t) { return true; },
          .place = [](const Extent& extent) { return extent; },
          .blocks = from.blocks,
          .packs = from.packs,
          .inline_bytes = from.inline_bytes};
}

Manifest rewrite(const Manifest& from, const Rewriting& rewriting) {
  return Rewriter(from, rewriting).run();
}

}  // namespace hearth::cache
