#include "support/file_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace hearth::support {
namespace {

namespace fs = std::filesystem;
using Kind = FileCall::Kind;

std::atomic<FileCallListener*> listener = nullptr;
std::recursive_mutex order;
thread_local bool told = false;  // this thread is inside of the listener

bool listening() {
  return listener != nullptr && !told;
}

fs::path of_descriptor(int fd) {
  std::array<char, 4096> text{};
  const ssize_t size = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), text.data(), text.size());
  return size < 0 ? fs::path() : fs::path(std::string_view(text.data(), static_cast<std::size_t>(size)));
}

fs::path resolved(int directory, const char* path) {
  if (path[0] == '/') return path;
  return (directory == AT_FDCWD ? fs::current_path() : of_descriptor(directory)) / path;
}

bool below(const fs::path& path, const fs::path& root) {
  const std::string& text = path.native();
  return text.starts_with(root.native()) && (text.size() == root.native().size() || text[root.native().size()] == '/');
}

template <class Real>
auto tell(FileCall call, const Real& real) -> decltype(real()) {
  const std::scoped_lock lock(order);
  FileCallListener* const to = listener;
  if (to == nullptr || (!below(call.path, to->root()) && !below(call.to, to->root()))) return real();
  told = true;
  to->before(call);
  told = false;
  const auto result = real();
  const int code = errno;
  if (result >= 0) {
    if (call.kind == Kind::open) call.fd = static_cast<int>(result);
    told = true;
    to->after(call);
    told = false;
  }
  errno = code;
  return result;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

FileCallListener::FileCallListener(fs::path root) : root_(fs::canonical(root)) {
  listener = this;
}

FileCallListener::~FileCallListener() {
  const std::scoped_lock lock(order);
  listener = nullptr;
}

}  // namespace hearth::support

using hearth::support::FileCall;
using hearth::support::listening;
using hearth::support::next;
using hearth::support::of_descriptor;
using hearth::support::resolved;
using hearth::support::tell;
using Kind = hearth::support::FileCall::Kind;

// NOLINTBEGIN: these are the C library's names and signatures.
extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (!listening()) return real(path, flags, mode);
  return tell(
      {.kind = Kind::open, .path = resolved(AT_FDCWD, path), .to = {}, .creates = (flags & O_CREAT) != 0, .bytes = {}},
      [&] { return real(path, flags, mode); });
}

int openat(int directory, const char* path, int flags, ...) {
  static auto* const real = next<int(int, const char*, int, ...)>("openat");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (!listening()) return real(directory, path, flags, mode);
  return tell(
      {.kind = Kind::open, .path = resolved(directory, path), .to = {}, .creates = (flags & O_CREAT) != 0, .bytes = {}},
      [&] { return real(directory, path, flags, mode); });
}

int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
  static auto* const real = next<int(int, const char*, struct stat*, int)>("fstatat");
  if (!listening()) return real(directory, path, status, flags);
  return tell({.kind = Kind::look, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(directory, path, status, flags); });
}

ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  if (!listening()) return real(fd, bytes, size);
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  return tell({.kind = Kind::write,
               .path = of_descriptor(fd),
               .to = {},
               .fd = fd,
               .offset = at < 0 ? 0 : static_cast<std::uint64_t>(at),
               .bytes = {static_cast<const char*>(bytes), size}},
              [&] { return real(fd, bytes, size); });
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (!listening()) return real(fd, bytes, size, offset);
  return tell({.kind = Kind::write,
               .path = of_descriptor(fd),
               .to = {},
               .fd = fd,
               .offset = static_cast<std::uint64_t>(offset),
               .bytes = {static_cast<const char*>(bytes), size}},
              [&] { return real(fd, bytes, size, offset); });
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  if (!listening()) return real(fd, size);
  return tell({.kind = Kind::resize, .path = of_descriptor(fd), .to = {}, .fd = fd, .bytes = {}, .size = size},
              [&] { return real(fd, size); });
}

int fsync(int fd) {
  static auto* const real = next<int(int)>("fsync");
  if (!listening()) return real(fd);
  return tell({.kind = Kind::sync, .path = of_descriptor(fd), .to = {}, .fd = fd, .bytes = {}},
              [&] { return real(fd); });
}

int fdatasync(int fd) {
  static auto* const real = next<int(int)>("fdatasync");
  if (!listening()) return real(fd);
  return tell({.kind = Kind::sync, .path = of_descriptor(fd), .to = {}, .fd = fd, .bytes = {}},
              [&] { return real(fd); });
}

int futimens(int fd, const timespec* times) noexcept {
  static auto* const real = next<int(int, const timespec*)>("futimens");
  if (!listening()) return real(fd, times);
  return tell({.kind = Kind::times, .path = of_descriptor(fd), .to = {}, .fd = fd, .bytes = {}},
              [&] { return real(fd, times); });
}

int utimensat(int directory, const char* path, const timespec* times, int flags) noexcept {
  static auto* const real = next<int(int, const char*, const timespec*, int)>("utimensat");
  if (!listening()) return real(directory, path, times, flags);
  return tell({.kind = Kind::times, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(directory, path, times, flags); });
}

int fchmod(int fd, mode_t mode) noexcept {
  static auto* const real = next<int(int, mode_t)>("fchmod");
  if (!listening()) return real(fd, mode);
  return tell({.kind = Kind::attributes, .path = of_descriptor(fd), .to = {}, .fd = fd, .bytes = {}},
              [&] { return real(fd, mode); });
}

int fchmodat(int directory, const char* path, mode_t mode, int flags) noexcept {
  static auto* const real = next<int(int, const char*, mode_t, int)>("fchmodat");
  if (!listening()) return real(directory, path, mode, flags);
  return tell({.kind = Kind::attributes, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(directory, path, mode, flags); });
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  if (!listening()) return real(from, to);
  return tell({.kind = Kind::rename, .path = resolved(AT_FDCWD, from), .to = resolved(AT_FDCWD, to), .bytes = {}},
              [&] { return real(from, to); });
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  static auto* const real = next<int(int, const char*, int, const char*)>("renameat");
  if (!listening()) return real(from_directory, from, to_directory, to);
  return tell(
      {.kind = Kind::rename, .path = resolved(from_directory, from), .to = resolved(to_directory, to), .bytes = {}},
      [&] { return real(from_directory, from, to_directory, to); });
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) noexcept {
  static auto* const real = next<int(int, const char*, int, const char*, int)>("linkat");
  if (!listening()) return real(from_directory, from, to_directory, to, flags);
  return tell(
      {.kind = Kind::link, .path = resolved(from_directory, from), .to = resolved(to_directory, to), .bytes = {}},
      [&] { return real(from_directory, from, to_directory, to, flags); });
}

int symlinkat(const char* text, int directory, const char* path) noexcept {
  static auto* const real = next<int(const char*, int, const char*)>("symlinkat");
  if (!listening()) return real(text, directory, path);
  return tell({.kind = Kind::symlink, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(text, directory, path); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  if (!listening()) return real(path, mode);
  return tell({.kind = Kind::make_directory, .path = resolved(AT_FDCWD, path), .to = {}, .bytes = {}},
              [&] { return real(path, mode); });
}

int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(int, const char*, mode_t)>("mkdirat");
  if (!listening()) return real(directory, path, mode);
  return tell({.kind = Kind::make_directory, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(directory, path, mode); });
}

// Its name is not known before.
char* mkdtemp(char* path) noexcept {
  static auto* const real = next<char*(char*)>("mkdtemp");
  if (!listening()) return real(path);
  char* made = nullptr;
  tell({.kind = Kind::make_directory, .path = resolved(AT_FDCWD, path), .to = {}, .bytes = {}}, [&] {
    made = real(path);
    return made == nullptr ? -1 : 0;
  });
  return made;
}

int unlink(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("unlink");
  if (!listening()) return real(path);
  return tell({.kind = Kind::remove, .path = resolved(AT_FDCWD, path), .to = {}, .bytes = {}},
              [&] { return real(path); });
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  static auto* const real = next<int(int, const char*, int)>("unlinkat");
  if (!listening()) return real(directory, path, flags);
  const Kind kind = (flags & AT_REMOVEDIR) != 0 ? Kind::remove_directory : Kind::remove;
  return tell({.kind = kind, .path = resolved(directory, path), .to = {}, .bytes = {}},
              [&] { return real(directory, path, flags); });
}

int rmdir(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("rmdir");
  if (!listening()) return real(path);
  return tell({.kind = Kind::remove_directory, .path = resolved(AT_FDCWD, path), .to = {}, .bytes = {}},
              [&] { return real(path); });
}

}  // extern "C"
// NOLINTEND
