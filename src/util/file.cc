#include "util/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "util/text.h"

namespace hearth::util {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kReadStep = std::size_t{1} << 20;

// Repeats a system call that a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

template <class ReadSome>
Result<std::size_t> read_until_full(std::span<std::byte> into, ReadSome read_some) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = uninterrupted([&] { return read_some(into.subspan(done), done); });
    if (count < 0) return fail_errno(errno, "read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

// Every level of a removal holds a descriptor; what lies deeper is first moved up.
constexpr int kDeepest = 100;

// Where a removal is: below the directory `top`, so many levels deep.
struct Place {
  int top = -1;
  int depth = 0;
};

Result<void> remove_entry(int parent, const char* name, const fs::path& shown, Place place);

Result<void> remove_children(Fd directory, const fs::path& shown, Place place) {
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(::fdopendir(directory.get()), close_directory);
  if (!dir) return fail_errno(errno, fmt::format("reading {}", shown.native()));
  directory.release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view child = entry->d_name;
    if (child != "." && child != "..") names.emplace_back(child);
  }
  if (place.depth == 0) place.top = ::dirfd(dir.get());
  ++place.depth;
  for (const std::string& child : names) TRY(remove_entry(::dirfd(dir.get()), child.c_str(), shown / child, place));
  return {};
}

Result<void> remove_entry(int parent, const char* name, const fs::path& shown, Place place) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM && errno != EACCES) {
    return fail_errno(errno, fmt::format("removing {}", shown.native()));
  }
  const int unlink_error = errno;
  Fd directory(::openat(parent, name, kDirectoryFlags));
  struct stat status{};
  const bool known = ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (!known || !S_ISDIR(status.st_mode)) return fail_errno(unlink_error, fmt::format("removing {}", shown.native()));
  if ((status.st_mode & S_IRWXU) != S_IRWXU) {
    // It may have become a link since it was seen.
    if (directory ? ::fchmod(directory.get(), S_IRWXU) : ::fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW)) {
      return fail_errno(errno, fmt::format("making {} writable", shown.native()));
    }
  }
  if (place.depth == kDeepest) {
    if (::renameat(parent, name, place.top, (".removed-" + random_hex(8)).c_str()) == 0) return {};
    return fail_errno(errno, fmt::format("moving {} up", shown.native()));
  }
  while (true) {
    if (!directory) directory = Fd(::openat(parent, name, kDirectoryFlags));
    if (!directory) return fail_errno(errno, fmt::format("opening {}", shown.native()));
    TRY(remove_children(std::exchange(directory, Fd()), shown, place));
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    // The top goes round again for what was moved up to it.
    if (place.depth > 0 || errno != ENOTEMPTY) return fail_errno(errno, fmt::format("removing {}", shown.native()));
  }
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  close();
}

void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Fd> open_file(const fs::path& path, int flags, mode_t mode) {
  const int fd = uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return fail_errno(errno, fmt::format("opening {}", path.native()));
  return Fd(fd);
}

Result<std::size_t> read_full(int fd, std::span<std::byte> into) {
  return read_until_full(into,
                         [&](std::span<std::byte> rest, std::size_t) { return ::read(fd, rest.data(), rest.size()); });
}

Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
  return read_until_full(into, [&](std::span<std::byte> rest, std::size_t done) {
    return ::pread(fd, rest.data(), rest.size(), static_cast<off_t>(offset + done));
  });
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit) {
  const Fd fd = TRY(open_file(path, O_RDONLY));
  std::string bytes;
  while (true) {
    const std::size_t before = bytes.size();
    // One byte above the limit tells that there is more.
    const std::size_t step = limit - before < kReadStep ? limit - before + 1 : kReadStep;
    bytes.resize(before + step);
    const std::size_t count =
        TRY(within(path.native(), read_full(fd.get(), std::as_writable_bytes(std::span(bytes)).subspan(before))));
    bytes.resize(before + count);
    if (bytes.size() > limit) return fail(ErrorKind::invalid, "{} is larger than {} bytes", path.native(), limit);
    if (count < step) return bytes;
  }
}

Result<void> write_full(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (count < 0) return fail_errno(errno, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> write_full(int fd, std::string_view bytes) {
  return write_full(fd, std::as_bytes(std::span(bytes)));
}

Result<void> write_file(const fs::path& path, std::string_view bytes, mode_t mode) {
  const Fd fd = TRY(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  return within(path.native(), write_full(fd.get(), bytes));
}

Result<void> replace_file(const fs::path& path, std::string_view bytes, mode_t mode) {
  std::string temporary = path.native() + ".tmp.XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("creating {}", temporary));
  const auto write = [&]() -> Result<void> {
    TRY(write_full(fd.get(), bytes));
    if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0) return fail_errno(errno, "fsync");
    fd.close();
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename");
    return sync_directory(path.parent_path());
  };
  Result<void> written = within(fmt::format("writing {}", path.native()), write());
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> sync_directory(const fs::path& directory) {
  const Fd fd = TRY(open_file(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return fail_errno(errno, fmt::format("fsync of {}", directory.native()));
  return {};
}

Result<void> make_directories(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  if (errno == ENOENT && path.has_parent_path() && path.parent_path() != path) {
    TRY(make_directories(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0) return {};
  }
  const int code = errno;
  std::error_code ignored;
  if (code == EEXIST && fs::is_directory(path, ignored)) return {};
  return fail_errno(code, fmt::format("making the directory {}", path.native()));
}

Result<void> remove_tree(const fs::path& path) {
  return remove_entry(AT_FDCWD, path.c_str(), path, {});
}

Result<TempDir> TempDir::create(const fs::path& parent, std::string_view prefix) {
  std::string name = (parent / prefix).native() + "XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, fmt::format("making a directory {}", name));
  return TempDir(name);
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDir::~TempDir() {
  // Nobody is left to tell; the next start removes what nobody holds.
  if (!path_.empty()) std::ignore = remove_tree(path_);
}

Result<FileLock> FileLock::try_acquire(const fs::path& path) {
  Fd fd = TRY(open_file(path, O_RDWR | O_CREAT, 0600));
  if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorKind::conflict, "{} is held by another process", path.native());
    return fail_errno(errno, fmt::format("locking {}", path.native()));
  }
  return FileLock(std::move(fd));
}

}  // namespace hearth::util
