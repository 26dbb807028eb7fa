#include "slug/tar_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace hearth::slug {

namespace {

constexpr mode_t kKeptModeBits = 01777;

std::unexpected<Error> changed(const std::string& path) {
  return fail(ErrorKind::io, "{} changed while the slug was being written; is a process still writing there?", path);
}

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Result<std::string> link_target(const WalkEntry& entry) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(entry.parent, entry.name.c_str(), target.data(), target.size());
  if (length < 0) return errno == ENOENT || errno == EINVAL ? changed(entry.path) : fail_errno(errno, entry.path);
  target.resize(static_cast<std::size_t>(length));
  return target;
}

bool belongs_into_slug(const WalkEntry& entry) {
  const mode_t mode = entry.status.st_mode;
  return entry.path != ".git" && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode));
}

}  // namespace

Result<TarStream> TarStream::open(const std::filesystem::path& root, std::uint32_t owner) {
  TreeWalk walk = TRY(TreeWalk::open(root));
  return TarStream(std::move(walk), owner);
}

Result<std::size_t> TarStream::read(std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::size_t count = TRY(read_some(into.subspan(done)));
    if (count == 0) break;
    done += count;
  }
  return done;
}

// Zero only at the end.
Result<std::size_t> TarStream::read_some(std::span<std::byte> into) {
  while (pending_done_ == pending_.size() && !content_ && !ended_) TRY(next_member());
  if (pending_done_ < pending_.size()) {
    const std::size_t count = std::min(into.size(), pending_.size() - pending_done_);
    std::memcpy(into.data(), pending_.data() + pending_done_, count);
    pending_done_ += count;
    return count;
  }
  return content_ ? read_content(into) : Result<std::size_t>(0);
}

Result<void> TarStream::next_member() {
  pending_done_ = 0;
  const std::optional<WalkEntry> entry = TRY(walk_.next());
  if (!entry) {
    pending_.assign(util::kEndMarker, '\0');
    ended_ = true;
    return {};
  }
  pending_.clear();
  if (!belongs_into_slug(*entry)) {
    walk_.skip_content();
    return {};
  }
  const util::Member member = TRY(describe(*entry));
  pending_ = util::gnu_header(member);
  ++members_;
  return {};
}

Result<util::Member> TarStream::describe(const WalkEntry& entry) {
  util::Member member;
  member.name = "./" + entry.path;
  member.mode = entry.status.st_mode & kKeptModeBits;
  member.mtime = entry.status.st_mtim.tv_sec;
  member.owner = owner_;
  if (S_ISDIR(entry.status.st_mode)) {
    member.type = util::MemberType::directory;
    member.name += '/';
    return member;
  }
  if (S_ISLNK(entry.status.st_mode)) {
    member.type = util::MemberType::symlink;
    member.target = TRY(link_target(entry));
    member.mode = 0777;
    return member;
  }
  if (entry.status.st_nlink > 1) {
    const auto [first, is_new] = linked_.try_emplace({entry.status.st_dev, entry.status.st_ino}, member.name);
    if (!is_new) {
      member.type = util::MemberType::hard_link;
      member.target = first->second;
      return member;
    }
  }
  TRY(open_content(entry));
  member.size = static_cast<std::uint64_t>(content_status_.st_size);
  return member;
}

Result<void> TarStream::open_content(const WalkEntry& entry) {
  // O_NONBLOCK: should a fifo have taken the file's place, it must not hold us up.
  util::Fd fd(::openat(entry.parent, entry.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return errno == ENOENT || errno == ELOOP ? changed(entry.path) : fail_errno(errno, entry.path);
  if (::fstat(fd.get(), &content_status_) != 0) return fail_errno(errno, entry.path);
  if (!S_ISREG(content_status_.st_mode) || !same_content(content_status_, entry.status)) return changed(entry.path);
  content_ = std::move(fd);
  content_path_ = entry.path;
  content_left_ = static_cast<std::uint64_t>(content_status_.st_size);
  if (content_left_ == 0) content_.close();
  return {};
}

Result<std::size_t> TarStream::read_content(std::span<std::byte> into) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), content_left_));
  const std::size_t count = TRY(within(content_path_, util::read_full(content_.get(), into.first(wanted))));
  if (count < wanted) return changed(content_path_);
  content_left_ -= count;
  if (content_left_ == 0) TRY(close_content());
  return count;
}

Result<void> TarStream::close_content() {
  struct stat now{};
  if (::fstat(content_.get(), &now) != 0) return fail_errno(errno, content_path_);
  if (!same_content(now, content_status_)) return changed(content_path_);
  content_.close();
  pending_.assign(util::padding_after(static_cast<std::uint64_t>(now.st_size)), '\0');
  pending_done_ = 0;
  return {};
}

}  // namespace hearth::slug
