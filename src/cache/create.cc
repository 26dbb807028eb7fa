#include "cache/create.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "cache/manifest.h"

namespace hearth::cache {

namespace {

// Set-user-id and set-group-id never reach a disk.
constexpr mode_t kModeBits = kModeMask;
constexpr mode_t kUnfinishedDirectory = S_IRWXU;
constexpr mode_t kUnfinishedFile = S_IRUSR | S_IWUSR;

// Access time and modification time.
std::array<timespec, 2> both_times(std::int64_t mtime) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  timespec time{};
  time.tv_sec = mtime / kSecond;
  time.tv_nsec = mtime % kSecond;
  if (time.tv_nsec < 0) {
    time.tv_sec -= 1;
    time.tv_nsec += kSecond;
  }
  return {time, time};
}

std::unexpected<Error> failed(std::string_view what, std::string_view path) {
  const int code = errno;
  return fail_errno(code, fmt::format("{} {}", what, path));
}

Result<void> write_at(int fd, Piece piece) {
  while (!piece.bytes.empty()) {
    const ssize_t count = ::pwrite(fd, piece.bytes.data(), piece.bytes.size(), static_cast<off_t>(piece.offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "write");
    piece.offset += static_cast<std::uint64_t>(count);
    piece.bytes = piece.bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace

Creator::Creator(Directories directories, std::optional<uid_t> owner)
    : directories_(std::move(directories)), owner_(owner) {}

Result<void> Creator::make_directory(std::string_view path) {
  const Directories::Handle parent = TRY(directories_.parent(path));
  const std::string name(name_of(path));
  if (::mkdirat(parent->get(), name.c_str(), kUnfinishedDirectory) != 0) return failed("making the directory", path);
  return {};
}

Result<void> Creator::finish_directory(std::string_view path, const Attributes& attributes) {
  const Directories::Handle directory = TRY(directories_.at(path));
  TRY(finish(*directory, path, attributes));
  return {};
}

Result<FileStatus> Creator::make_file(std::string_view path, const Attributes& attributes, std::uint64_t size,
                                      std::span<const Piece> pieces) {
  const util::Fd fd = TRY(open(path, O_WRONLY | O_CREAT | O_EXCL, attributes.mode & kModeBits));
  std::uint64_t end = 0;
  for (const Piece& piece : pieces) {
    TRY(within(path, write_at(fd.get(), piece)));
    end = std::max(end, piece.offset + piece.bytes.size());
  }
  if (end < size && ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failed("setting the size of", path);
  return finish(fd, path, attributes);
}

Result<void> Creator::begin_file(std::string_view path, std::uint64_t size) {
  const util::Fd fd = TRY(open(path, O_WRONLY | O_CREAT | O_EXCL, kUnfinishedFile));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failed("setting the size of", path);
  return {};
}

Result<void> Creator::write_piece(std::string_view path, const Piece& piece) {
  const util::Fd fd = TRY(open(path, O_WRONLY, 0));
  return within(path, write_at(fd.get(), piece));
}

Result<FileStatus> Creator::finish_file(std::string_view path, const Attributes& attributes) {
  const util::Fd fd = TRY(open(path, O_WRONLY, 0));
  return finish(fd, path, attributes);
}

Result<void> Creator::make_symlink(std::string_view path, const std::string& target, std::int64_t mtime) {
  const Directories::Handle parent = TRY(directories_.parent(path));
  const std::string name(name_of(path));
  if (::symlinkat(target.c_str(), parent->get(), name.c_str()) != 0) return failed("making the link", path);
  if (owner_ && ::fchownat(parent->get(), name.c_str(), *owner_, *owner_, AT_SYMLINK_NOFOLLOW) != 0) {
    return failed("changing the owner of", path);
  }
  if (::utimensat(parent->get(), name.c_str(), both_times(mtime).data(), AT_SYMLINK_NOFOLLOW) != 0) {
    return failed("setting the times of", path);
  }
  return {};
}

Result<void> Creator::make_hard_link(std::string_view path, std::string_view existing) {
  const Directories::Handle from = TRY(directories_.parent(existing));
  const Directories::Handle to = TRY(directories_.parent(path));
  const std::string old_name(name_of(existing));
  const std::string new_name(name_of(path));
  if (::linkat(from->get(), old_name.c_str(), to->get(), new_name.c_str(), 0) != 0) return failed("linking", path);
  return {};
}

Result<FileStatus> Creator::status(std::string_view path) {
  const Directories::Handle parent = TRY(directories_.parent(path));
  const std::string name(name_of(path));
  struct stat status{};
  if (::fstatat(parent->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return failed("looking at", path);
  return file_status(status);
}

Result<util::Fd> Creator::open(std::string_view path, int flags, mode_t mode) {
  const Directories::Handle parent = TRY(directories_.parent(path));
  const std::string name(name_of(path));
  int fd = -1;
  do {
    fd = ::openat(parent->get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return failed("creating", path);
  return util::Fd(fd);
}

Result<FileStatus> Creator::finish(const util::Fd& fd, std::string_view path, const Attributes& attributes) const {
  const auto set_times = [&] { return ::futimens(fd.get(), both_times(attributes.mtime).data()); };
  if (owner_ && ::fchown(fd.get(), *owner_, *owner_) != 0) return failed("changing the owner of", path);
  if (set_times() != 0) return failed("setting the times of", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed("looking at", path);
  const mode_t wanted = attributes.mode & kModeBits;
  // A file made with its mode needs this only where the umask or a default ACL took bits away.
  if ((status.st_mode & ~static_cast<mode_t>(S_IFMT)) != wanted) {
    if (::fchmod(fd.get(), wanted) != 0) return failed("setting the mode of", path);
    if (::fstat(fd.get(), &status) != 0) return failed("looking at", path);
  }
  return file_status(status);
}

}  // namespace hearth::cache
