#include "cache/operator/generation_tar.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "util/text.h"

namespace hearth::cache {

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::vector<std::uint32_t> files_of(const Manifest& manifest) {
  std::vector<std::uint32_t> files;
  for (std::uint32_t index = 0; index < manifest.entries.size(); ++index) {
    if (manifest.entries[index].kind == EntryKind::file) files.push_back(index);
  }
  return files;
}

void set_time(util::Member& member, std::int64_t mtime) {
  const bool rounded_up = mtime % kSecond < 0;
  member.mtime = mtime / kSecond - (rounded_up ? 1 : 0);
  member.nanoseconds = static_cast<std::uint32_t>(mtime % kSecond + (rounded_up ? kSecond : 0));
}

util::Member top_of(const Manifest& manifest) {
  util::Member member;
  member.type = util::MemberType::directory;
  member.name = "./";
  member.mode = manifest.root_mode;
  set_time(member, manifest.root_mtime);
  return member;
}

}  // namespace

GenerationTar::GenerationTar(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& opened,
                             const std::stop_token& stop)
    : opened_(opened),
      content_(store, layout, opened, files_of(opened.manifest), stop),
      pending_(util::gnu_header(top_of(opened.manifest))) {}

Result<std::size_t> GenerationTar::read(std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::span<std::byte> rest = into.subspan(done);
    if (pending_done_ < pending_.size()) {
      const std::size_t count = std::min(rest.size(), pending_.size() - pending_done_);
      std::memcpy(rest.data(), pending_.data() + pending_done_, count);
      pending_done_ += count;
      done += count;
    } else if (content_left_ > 0) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), content_left_));
      const std::string path = util::shown(opened_.manifest.entries[next_ - 1].path.text());
      const std::size_t count = TRY(within(path, content_.read(rest.first(wanted))));
      done += count;
      content_left_ -= count;
      if (content_left_ == 0) {
        pending_.assign(padding_, '\0');
        pending_done_ = 0;
      }
    } else if (ended_) {
      break;
    } else {
      next_member();
    }
  }
  return done;
}

void GenerationTar::next_member() {
  pending_done_ = 0;
  const Entries& entries = opened_.manifest.entries;
  ended_ = next_ == entries.size();
  if (ended_) {
    pending_.assign(util::kEndMarker, '\0');
    return;
  }
  const Entry entry = entries[next_];
  pending_ = util::gnu_header(describe(entry));
  content_.open(static_cast<std::uint32_t>(next_));
  content_left_ = entry.size;
  padding_ = util::padding_after(entry.size);
  ++next_;
}

util::Member GenerationTar::describe(const Entry& entry) const {
  util::Member member;
  member.name = "./" + entry.path.text();
  const Entry file = resolved(opened_.manifest, entry);
  member.mode = file.mode;
  set_time(member, file.mtime);
  switch (entry.kind) {
    case EntryKind::directory:
      member.type = util::MemberType::directory;
      member.name += '/';
      break;
    case EntryKind::file:
      member.size = entry.size;
      break;
    case EntryKind::symlink:
      member.type = util::MemberType::symlink;
      member.target = entry.target;
      member.mode = 0777;
      break;
    case EntryKind::hard_link:
      member.type = util::MemberType::hard_link;
      member.target = fmt::format("./{}", entry.target);
      break;
  }
  return member;
}

}  // namespace hearth::cache
