#include "store/local_draft.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <random>

#include "store/local_tree.h"
#include "util/text.h"

namespace hearth::store {

namespace {

constexpr long kSecond = 1'000'000'000;  // in nanoseconds

long random_nanoseconds(long below) {
  return static_cast<long>(std::random_device()() % static_cast<unsigned long>(below));
}

bool later(const timespec& one, const timespec& other) {
  return one.tv_sec != other.tv_sec ? one.tv_sec > other.tv_sec : one.tv_nsec > other.tv_nsec;
}

timespec plus(timespec time, long nanoseconds) {
  time.tv_nsec += nanoseconds;
  time.tv_sec += time.tv_nsec / kSecond;
  time.tv_nsec %= kSecond;
  return time;
}

}  // namespace

Result<Draft> Draft::create(const Place& place) {
  util::Fd folder = open_at(place, O_PATH | O_DIRECTORY);
  const std::string name = util::random_hex(16);
  util::Fd fd(folder ? ::openat(folder.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1);
  if (!fd) return refused(errno, fmt::format("creating a file in {}", place.path().native()));
  // Where the file system has no locks, age alone tells a dead draft.
  std::ignore = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  return Draft(std::move(folder), name, std::move(fd));
}

Draft::~Draft() {
  if (!name_.empty()) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

Result<void> Draft::append(std::span<const std::byte> bytes) {
  durable_ = false;
  return util::write_full(fd_.get(), bytes);
}

Result<void> Draft::stamp(StoreTime now) {
  return set_time({now.time_since_epoch().count(), random_nanoseconds(kSecond)});
}

Result<void> Draft::make_newer_than(const struct stat& other) {
  struct stat own = TRY(status());
  for (int second = 0; second <= 2; ++second) {
    if (later(own.st_mtim, other.st_mtim)) return {};
    timespec next = plus(other.st_mtim, 1 + random_nanoseconds(kSecond / 1000));
    next.tv_sec += second;
    TRY(set_time(next));
    own = TRY(status());
  }
  if (later(own.st_mtim, other.st_mtim)) return {};
  return fail(ErrorKind::io, "the draft {}: the file system does not keep the time of a file", name_);
}

Result<void> Draft::sync() {
  if (!durable_ && ::fsync(fd_.get()) != 0) return refused(errno, fmt::format("storing the draft {}", name_));
  durable_ = true;
  return {};
}

Result<Version> Draft::publish(const Place& place) {
  TRY(move_into_place(folder_, name_, place));
  name_.clear();
  const struct stat own = TRY(status());
  return version_of(own);
}

Result<struct stat> Draft::status() const {
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return refused(errno, fmt::format("examining the draft {}", name_));
  return status;
}

Result<void> Draft::set_time(timespec modified) {
  durable_ = false;
  const std::array<timespec, 2> times{modified, modified};
  if (::futimens(fd_.get(), times.data()) != 0) {
    return refused(errno, fmt::format("storing the draft {}", name_));
  }
  return {};
}

void remove_dead_drafts(const Place& place, StoreTime now, std::chrono::seconds age) {
  util::Fd folder = open_at(place, O_RDONLY | O_DIRECTORY);
  const auto close_directory = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close_directory)> directory(folder ? ::fdopendir(folder.get()) : nullptr);
  if (!directory) return;
  folder.release();
  while (const dirent* const entry = ::readdir(directory.get())) {
    const int here = ::dirfd(directory.get());
    const util::Fd fd(::openat(here, entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) continue;
    const StoreTime written{std::chrono::seconds(status.st_mtim.tv_sec)};
    if (now - written < age || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    ::unlinkat(here, entry->d_name, 0);
  }
}

}  // namespace hearth::store
