#include "store/local_draft.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>

#include "store/local_tree.h"
#include "util/text.h"

namespace hearth::store {

namespace fs = std::filesystem;

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

Result<Draft> Draft::create(const fs::path& folder) {
  const fs::path path = folder / util::random_hex(16);
  util::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return refused(errno, fmt::format("creating a file in {}", folder.native()));
  // Where the file system has no locks, age alone tells a dead draft.
  std::ignore = ::flock(fd.get(), LOCK_EX | LOCK_NB);
  return Draft(path, std::move(fd));
}

Draft::~Draft() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<void> Draft::append(std::span<const std::byte> bytes) {
  return util::write_full(fd_.get(), bytes);
}

Result<void> Draft::seal(StoreTime now) {
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
  return fail(ErrorKind::io, "{}: the file system does not keep the time of a file", path_.native());
}

Result<Version> Draft::publish(const Place& place) {
  TRY(move_into_place(path_, place));
  path_.clear();
  const struct stat own = TRY(status());
  return version_of(own);
}

Result<struct stat> Draft::status() const {
  struct stat status{};
  if (::fstat(fd_.get(), &status) != 0) return refused(errno, fmt::format("examining {}", path_.native()));
  return status;
}

Result<void> Draft::set_time(timespec modified) const {
  const std::array<timespec, 2> times{modified, modified};
  if (::futimens(fd_.get(), times.data()) != 0 || ::fsync(fd_.get()) != 0) {
    return refused(errno, fmt::format("storing {}", path_.native()));
  }
  return {};
}

void remove_dead_drafts(const fs::path& folder, StoreTime now, std::chrono::seconds age) {
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const util::Fd fd(::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) continue;
    const StoreTime written{std::chrono::seconds(status.st_mtim.tv_sec)};
    if (now - written < age || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    ::unlink(entry->path().c_str());
  }
}

}  // namespace hearth::store
