#include "cache/verify.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "cache/commit.h"
#include "cache/manifest_store.h"
#include "cache/pack.h"
#include "cache/parallel.h"

namespace hearth::cache {

namespace {

constexpr const char* kHeadName = "HEAD";

bool is_damage(ErrorKind kind) {
  return kind == ErrorKind::not_found || kind == ErrorKind::corrupt || kind == ErrorKind::invalid;
}

// What was found out about a pack.
struct PackState {
  std::optional<std::string> problem;
  std::map<std::uint64_t, Block> blocks;  // of a good one, by offset
};

class Verifier {
 public:
  Verifier(store::ObjectStore& store, const Layout& layout, unsigned threads, const std::stop_token& stop,
           util::Progress* progress)
      : store_(store), layout_(layout), threads_(core_count(threads)), stop_(stop), progress_(progress) {}

  VerifyReport run() {
    const Result<void> looked = look();
    report_.read_bytes = read_bytes_;
    if (looked) {
      report_.outcome = damaged_.empty() ? VerifyOutcome::sound : VerifyOutcome::damaged;
      if (absent_) report_.outcome = VerifyOutcome::absent;
      for (const auto& [object, problem] : damaged_) report_.damaged_objects.push_back({object, problem});
    } else {
      report_.error = looked.error();
    }
    return std::move(report_);
  }

 private:
  Result<void> look() {
    const HeadRead read = TRY(read_head(store_, layout_, stop_));
    absent_ = read.state == HeadState::absent;
    if (absent_) return {};
    ++report_.objects;
    if (read.state != HeadState::readable) {
      damaged_.emplace(kHeadName, read.problem);
      return {};
    }
    head_ = read.seen.head;
    std::vector<Generation> all = head_.generations;
    all.insert(all.end(), head_.aside.begin(), head_.aside.end());
    std::erase_if(all, [this](const Generation& generation) { return names_bad(head_, generation); });
    TRY(look_at_packs(all));
    for (const Generation& generation : all) TRY(look_at(generation));
    report_.objects += packs_.size() + manifests_.size();
    return damaged_.empty() ? Result<void>() : forget_what_is_gone();
  }

  Result<void> look_at_packs(const std::vector<Generation>& generations) {
    for (const Generation& generation : generations) {
      for (const PackName& pack : generation.packs) packs_.try_emplace(pack);
    }
    begin_progress();
    std::mutex mutex;
    auto next = packs_.begin();
    return in_parallel(threads_, stop_, [&](const std::stop_token& token) -> Result<void> {
      while (true) {
        std::unique_lock lock(mutex);
        if (next == packs_.end()) return {};
        auto& [pack, state] = *next++;
        lock.unlock();
        TRY(look_at(pack, state, token));
        if (progress_ != nullptr) progress_->add(pack.bytes);
      }
    });
  }

  void begin_progress() const {
    if (progress_ == nullptr) return;
    std::uint64_t total = 0;
    for (const auto& [pack, state] : packs_) total += pack.bytes;
    progress_->begin(total);
  }

  Result<void> look_at(const PackName& pack, PackState& state, const std::stop_token& stop) {
    const ObjectName name = name_of(pack);
    const Result<store::Object> object = store_.get(layout_.key(name), {.offset = 0, .length = pack.bytes + 1}, stop);
    if (!object && !is_damage(object.error().kind)) return std::unexpected(object.error());
    if (object) read_bytes_ += object->bytes.size();
    const Result<std::vector<PackedBlock>> blocks = blocks_of(pack, object);
    if (!blocks) {
      state.problem = blocks.error().message;
      return {};
    }
    for (const auto& [block, chunks] : *blocks) state.blocks.emplace(block.offset, block);
    return {};
  }

  static Result<std::vector<PackedBlock>> blocks_of(const PackName& pack, const Result<store::Object>& object) {
    if (!object) return std::unexpected(object.error());
    if (object->info.size != pack.bytes || object->bytes.size() != pack.bytes) {
      return fail(ErrorKind::corrupt, "{} bytes instead of {}", object->info.size, pack.bytes);
    }
    return verify_pack(object->bytes);
  }

  Result<void> look_at(const Generation& generation) {
    ++report_.generations;
    for (const ManifestName& manifest : generation.manifests) manifests_.insert(manifest.save);
    for (const PackName& pack : generation.packs) {
      if (const auto& problem = packs_.at(pack).problem) damaged_.emplace(name_of(pack).text(), *problem);
    }
    const std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout_, head_, generation, stop_);
    if (!loaded && !loaded.error().damaged) return std::unexpected(loaded.error().error);
    if (!loaded) {
      damaged_.emplace(loaded.error().damaged->text(), loaded.error().error.message);
      report_.damaged_generations.push_back({generation.id, true, {}});
      return {};
    }
    read_bytes_ += loaded->fetched_bytes;
    const std::vector<bool> bad = TRY(bad_blocks(loaded->manifest, generation));
    std::vector<std::string> files = files_of(loaded->manifest, bad);
    if (!files.empty()) report_.damaged_generations.push_back({generation.id, false, std::move(files)});
    return {};
  }

  Result<std::vector<bool>> bad_blocks(const Manifest& manifest, const Generation& generation) {
    std::vector<bool> bad(manifest.blocks.size());
    for (std::size_t index = 0; index < bad.size(); ++index) {
      const Block& block = manifest.blocks[index];
      if (block.pack == kInline) {
        bad[index] = !decode_block(block, std::span(manifest.inline_bytes).subspan(block.offset, block.stored_bytes))
                          .has_value();
        if (bad[index]) {
          damaged_.emplace(ObjectName{head_.epoch, ObjectKind::manifest, generation.id, 0}.text(), "its inline bytes");
        }
        continue;
      }
      const PackName& pack = manifest.packs[block.pack];
      const PackState& state = packs_.at(pack);
      bad[index] = state.problem ? !TRY(is_good_by_itself(pack, block)) : !has(state, block);
      if (bad[index] && !state.problem) {
        damaged_.emplace(name_of(pack).text(), "it is another pack than the manifests speak of");
      }
    }
    return bad;
  }

  static bool has(const PackState& state, Block block) {
    const auto found = state.blocks.find(block.offset);
    block.pack = 0;
    return found != state.blocks.end() && found->second == block;
  }

  // Of a damaged pack some blocks may still be good.
  Result<bool> is_good_by_itself(const PackName& pack, const Block& block) {
    const Result<store::Object> object =
        store_.get(layout_.key(name_of(pack)), {block.offset, block.stored_bytes}, stop_);
    if (!object) {
      if (!is_damage(object.error().kind)) return std::unexpected(object.error());
      return false;
    }
    return decode_block(block, object->bytes).has_value();
  }

  static std::vector<std::string> files_of(const Manifest& manifest, const std::vector<bool>& bad) {
    std::vector<std::string> files;
    for (std::size_t index = 0; index < manifest.entries.size(); ++index) {
      const Entry entry = manifest.entries[index];
      const auto is_bad = [&](const Extent& extent) { return extent.block != kHole && bad[extent.block]; };
      if (std::ranges::any_of(entry.extents, is_bad)) files.push_back(entry.path.text());
    }
    return files;
  }

  // What was collected, purged or healed while this was reading is no damage.
  Result<void> forget_what_is_gone() {
    const HeadRead now = TRY(read_head(store_, layout_, stop_));
    std::map<std::string, std::string> still;
    std::vector<DamagedGeneration> generations;
    if (now.state == HeadState::readable) {
      std::vector<Generation> all = now.seen.head.generations;
      all.insert(all.end(), now.seen.head.aside.begin(), now.seen.head.aside.end());
      for (const Generation& generation : all) {
        for (const ObjectName& object : objects_of(now.seen.head, generation)) {
          if (const auto found = damaged_.find(object.text()); found != damaged_.end()) still.insert(*found);
        }
        const auto same = std::ranges::find(report_.damaged_generations, generation.id, &DamagedGeneration::id);
        if (same != report_.damaged_generations.end()) generations.push_back(std::move(*same));
      }
    }
    damaged_ = std::move(still);
    report_.damaged_generations = std::move(generations);
    return {};
  }

  ObjectName name_of(const PackName& pack) const { return {head_.epoch, ObjectKind::pack, pack.save, pack.number}; }

  store::ObjectStore& store_;
  const Layout& layout_;
  const unsigned threads_;
  const std::stop_token& stop_;
  util::Progress* const progress_;
  bool absent_ = false;
  Head head_;
  std::map<PackName, PackState> packs_;         // the map itself is complete before the threads start
  std::set<std::string> manifests_;             // the saves that wrote them
  std::map<std::string, std::string> damaged_;  // problems by object
  std::atomic<std::uint64_t> read_bytes_ = 0;
  VerifyReport report_;
};

}  // namespace

std::string_view name(VerifyOutcome outcome) {
  switch (outcome) {
    case VerifyOutcome::sound:
      return "sound";
    case VerifyOutcome::damaged:
      return "damaged";
    case VerifyOutcome::absent:
      return "absent";
    case VerifyOutcome::unavailable:
      return "unavailable";
  }
  return "unavailable";
}

VerifyReport verify(store::ObjectStore& store, const Name& name, unsigned threads, const std::stop_token& stop,
                    util::Progress* progress) {
  const Result<Layout> layout = Layout::of(name);
  if (layout) return Verifier(store, *layout, threads, stop, progress).run();
  VerifyReport report;
  report.error = layout.error();
  return report;
}

}  // namespace hearth::cache
