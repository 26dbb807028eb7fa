#include "cache/tree/create.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "cache/format/manifest.h"

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

std::unexpected<Error> failed(std::string_view what, const Path& path) {
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

Result<void> Creator::make_directory(const Path& path) {
  const Directories::Place place = TRY(directories_.place_of(path));
  if (::mkdirat(place.directory->get(), place.name.c_str(), kUnfinishedDirectory) != 0)
    return failed("making the directory", path);
  return {};
}

Result<void> Creator::finish_directory(const Path& path, const Attributes& attributes) {
  const Directories::Handle directory = TRY(directories_.at(path.text()));
  TRY(finish(*directory, path, attributes));
  return {};
}

Result<FileStatus> Creator::make_file(const Path& path, const Attributes& attributes, std::uint64_t size,
                                      std::span<const Piece> pieces) {
  const util::Fd fd = TRY(open(path, O_WRONLY | O_CREAT | O_EXCL, attributes.mode & kModeBits));
  std::uint64_t end = 0;
  for (const Piece& piece : pieces) {
    TRY(within(path.text(), write_at(fd.get(), piece)));
    end = std::max(end, piece.offset + piece.bytes.size());
  }
  if (end < size && ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failed("setting the size of", path);
  return finish(fd, path, attributes);
}

Result<void> Creator::begin_file(const Path& path, std::uint64_t size) {
  const util::Fd fd = TRY(open(path, O_WRONLY | O_CREAT | O_EXCL, kUnfinishedFile));
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return failed("setting the size of", path);
  return {};
}

Result<void> Creator::write_piece(const Path& path, const Piece& piece) {
  const util::Fd fd = TRY(open(path, O_WRONLY, 0));
  return within(path.text(), write_at(fd.get(), piece));
}

Result<FileStatus> Creator::finish_file(const Path& path, const Attributes& attributes) {
  const util::Fd fd = TRY(open(path, O_RDONLY | O_NONBLOCK, 0));
  return finish(fd, path, attributes);
}

Result<void> Creator::make_symlink(const Path& path, const std::string& target, std::int64_t mtime) {
  const Directories::Place place = TRY(directories_.place_of(path));
  if (::symlinkat(target.c_str(), place.directory->get(), place.name.c_str()) != 0)
    return failed("making the link", path);
  if (owner_ && ::fchownat(place.directory->get(), place.name.c_str(), *owner_, *owner_, AT_SYMLINK_NOFOLLOW) != 0) {
    return failed("changing the owner of", path);
  }
  if (::utimensat(place.directory->get(), place.name.c_str(), both_times(mtime).data(), AT_SYMLINK_NOFOLLOW) != 0) {
    return failed("setting the times of", path);
  }
  return {};
}

Result<void> Creator::make_hard_link(const Path& path, const Path& existing) {
  const Directories::Place from = TRY(directories_.place_of(existing));
  const Directories::Place to = TRY(directories_.place_of(path));
  if (::linkat(from.directory->get(), from.name.c_str(), to.directory->get(), to.name.c_str(), 0) != 0)
    return failed("linking", path);
  return {};
}

Result<FileStatus> Creator::status(const Path& path) {
  const Directories::Place place = TRY(directories_.place_of(path));
  struct stat status{};
  if (::fstatat(place.directory->get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return failed("looking at", path);
  return file_status(status);
}

Result<util::Fd> Creator::open(const Path& path, int flags, mode_t mode) {
  const Directories::Place place = TRY(directories_.place_of(path));
  int fd = -1;
  do {
    fd = ::openat(place.directory->get(), place.name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return failed("creating", path);
  return util::Fd(fd);
}

Result<FileStatus> Creator::finish(const util::Fd& fd, const Path& path, const Attributes& attributes) const {
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
