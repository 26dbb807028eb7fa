// Files and directories of the local system, with Result instead of errno. All paths are byte strings as Linux has
// them.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace hearth::util {

// An owned file descriptor; closed by the destructor. Movable, not copyable.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close();

 private:
  int fd_ = -1;
};

// Of open(2): a directory to read, never what a symbolic link points to.
inline constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// open(2) with O_CLOEXEC; retries EINTR.
Result<Fd> open_file(const std::filesystem::path& path, int flags, mode_t mode = 0644);

// The whole file. A file above `limit` bytes is ErrorKind::invalid; nothing above it is read.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t limit = UINT64_MAX);

// Reads until `into` is full or the file ends; returns the number of bytes read.
Result<std::size_t> read_full(int fd, std::span<std::byte> into);
Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset);

// Writes everything; short writes and EINTR are continued.
Result<void> write_full(int fd, std::span<const std::byte> bytes);
Result<void> write_full(int fd, std::string_view bytes);

// Creates or truncates. Not durable; for files that only this process reads again.
Result<void> write_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode = 0644);

// Replaces the file in one step and durably: temporary file beside it, fsync, rename, fsync of the directory.
Result<void> replace_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode = 0644);

// fsync of a directory, so that renames in it survive a power cut.
Result<void> sync_directory(const std::filesystem::path& directory);

// mkdir -p. Existing directories are left as they are.
Result<void> make_directories(const std::filesystem::path& path, mode_t mode = 0755);

// rm -rf that follows no link, leaves no mount point's content out, and gives itself u+rwx on directories first
// (Go's module cache is 0555). An absent path is success.
Result<void> remove_tree(const std::filesystem::path& path);

// A directory that is removed with everything in it by the destructor.
class TempDir {
 public:
  // mkdtemp below `parent`, mode 0700, named "<prefix>XXXXXX".
  static Result<TempDir> create(const std::filesystem::path& parent, std::string_view prefix);
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&& other) noexcept;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }
  // Keeps the directory; the caller owns it from here.
  std::filesystem::path release() { return std::exchange(path_, {}); }

 private:
  explicit TempDir(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// An exclusive advisory lock (flock) on a file, held until destruction. The lock dies with the process.
class FileLock {
 public:
  // Creates the file if it is absent. Never waits: a held lock is ErrorKind::conflict.
  static Result<FileLock> try_acquire(const std::filesystem::path& path);

  // Hands the lock on, to another process too: it is held as long as a copy of the descriptor is open somewhere.
  Fd release() { return std::move(fd_); }
  // Takes over what release() gave.
  static FileLock adopt(Fd fd) { return FileLock(std::move(fd)); }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace hearth::util
