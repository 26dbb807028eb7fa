#include "store/tiered.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "store/local_draft.h"
#include "store/tier_file.h"
#include "util/hash.h"

namespace hearth::store {

namespace fs = std::filesystem;

namespace {

// Larger objects are not kept: a get of one byte would fetch them whole.
constexpr std::uint64_t kLargest = 64 << 20;
// The directory is looked through when so much of its size was added by this process.
constexpr std::uint64_t kLooks = 16;
// What a removal leaves room for, so that not each new copy removes an old one.
constexpr double kRoom = 0.1;
constexpr std::chrono::hours kLeftoverAge{1};

fs::path copies(const fs::path& directory) {
  return directory / "objects";
}
Place drafts(const fs::path& directory) {
  return {.root = directory, .below = "drafts"};
}

StoreTime this_machines_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

struct Copy {
  timespec used{};
  std::uint64_t bytes = 0;
  fs::path path;
};

std::vector<Copy> all_copies(const fs::path& directory) {
  std::vector<Copy> found;
  std::error_code failed;
  fs::recursive_directory_iterator entry(copies(directory), failed);
  for (const fs::recursive_directory_iterator end; !failed && entry != end; entry.increment(failed)) {
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    found.push_back({status.st_mtim, static_cast<std::uint64_t>(status.st_blocks) * 512, entry->path()});
  }
  return found;
}

// Only one of the processes that share the directory needs to look through it.
util::Fd try_lock(const fs::path& directory) {
  util::Fd lock(::open((directory / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return {};
  return lock;
}

}  // namespace

Result<void> prepare_tier(const TierOptions& options) {
  for (const fs::path& folder : {copies(options.directory), drafts(options.directory).path()}) {
    TRY(within("the tier", util::make_directories(folder, 0700)));
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
      return fail_errno(errno, fmt::format("the tier {}", folder.native()));
  }
  remove_dead_drafts(drafts(options.directory), this_machines_time(), kLeftoverAge);
  return {};
}

// Objects of the same key in other stores are others.
fs::path Tiered::path_of(const Key& key) const {
  const std::string name = util::sha256(description() + '\n' + key.text()).hex();
  return copies(options_.directory) / name.substr(0, 2) / name.substr(2);
}

std::optional<Object> Tiered::look_up(const Key& key, ByteRange range) {
  const fs::path path = path_of(key);
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return std::nullopt;
  const std::optional<TierFile> file = TierFile::open(std::move(fd), key);
  // The store itself is to say what is wrong with such a range.
  if (file && !clip(range, file->info().size)) return std::nullopt;
  std::optional<std::vector<std::byte>> bytes = file ? file->read(range) : std::nullopt;
  if (!bytes) {
    ::unlink(path.c_str());
    return std::nullopt;
  }
  const std::array<timespec, 2> used{timespec{0, UTIME_NOW}, timespec{0, UTIME_NOW}};
  std::ignore = ::futimens(file->fd(), used.data());
  meter_->count_tier_hit(bytes->size());
  return Object{file->info(), std::move(*bytes)};
}

// Only one thread fetches an object; the others wait for what it keeps.
class Tiered::Turn {
 public:
  static std::unique_ptr<Turn> wait(Tiered& tier, const Key& key, const std::stop_token& stop) {
    std::unique_lock lock(tier.mutex_);
    if (!tier.fetched_.wait(lock, stop, [&] { return !tier.being_fetched_.contains(key); })) return nullptr;
    tier.being_fetched_.insert(key);
    return std::unique_ptr<Turn>(new Turn(tier, key));
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    const std::lock_guard guard(tier_.mutex_);
    tier_.being_fetched_.erase(key_);
    tier_.fetched_.notify_all();
  }

 private:
  Turn(Tiered& tier, const Key& key) : tier_(tier), key_(key) {}
  Tiered& tier_;
  const Key key_;
};

Result<Object> Tiered::get(const Key& key, ByteRange range, std::stop_token stop) {
  if (!options_.written_once(key)) return inner().get(key, range, std::move(stop));
  if (std::optional<Object> kept = look_up(key, range)) return std::move(*kept);
  const std::unique_ptr<Turn> turn = Turn::wait(*this, key, stop);
  if (!turn) return fail(ErrorKind::cancelled, "the request was stopped");
  if (std::optional<Object> kept = look_up(key, range)) return std::move(*kept);
  return fetch(key, range, stop);
}

Result<Object> Tiered::fetch(const Key& key, ByteRange range, const std::stop_token& stop) {
  meter_->count_tier_miss();
  Object whole = TRY(inner().get(key, {.offset = 0, .length = kLargest}, stop));
  if (whole.info.size > kLargest) return inner().get(key, range, stop);
  const ByteRange part = TRY(clip(range, whole.info.size));
  keep(whole.info, whole.bytes);
  const auto begin = whole.bytes.begin() + static_cast<std::ptrdiff_t>(part.offset);
  std::vector<std::byte> bytes(begin, begin + static_cast<std::ptrdiff_t>(part.length));
  return Object{std::move(whole.info), std::move(bytes)};
}

Result<Version> Tiered::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  Result<Version> version = inner().put(key, body, condition, std::move(stop));
  const auto* const bytes = std::get_if<std::span<const std::byte>>(&body);
  if (version && bytes != nullptr && bytes->size() <= kLargest && options_.written_once(key)) {
    const StoreTime now = this_machines_time();
    keep({.key = key, .size = bytes->size(), .version = *version, .modified = now, .now = now}, *bytes);
  }
  return version;
}

Result<void> Tiered::remove(const Key& key, std::stop_token stop) {
  forget(key);
  return inner().remove(key, std::move(stop));
}

Result<void> Tiered::remove_each(std::span<const Key> keys, std::stop_token stop) {
  for (const Key& key : keys) forget(key);
  return inner().remove_each(keys, std::move(stop));
}

void Tiered::forget(const Key& key) const {
  if (options_.written_once(key)) ::unlink(path_of(key).c_str());
}

// What goes wrong here costs a fetch later, and nothing else.
void Tiered::keep(const ObjectInfo& info, std::span<const std::byte> content) {
  const std::vector<std::byte> trailer = tier_trailer(info, content);
  if (content.size() + trailer.size() > options_.bytes) return;
  make_room(content.size() + trailer.size());
  Result<Draft> draft = Draft::create(drafts(options_.directory));
  if (!draft || !draft->append(content) || !draft->append(trailer)) return;
  const fs::path root = copies(options_.directory);
  std::ignore = draft->publish({.root = root, .below = path_of(info.key).lexically_relative(root).native()});
}

void Tiered::make_room(std::uint64_t added) {
  const std::lock_guard guard(room_mutex_);
  added_ += added;
  if (looked_through_ && added_ < options_.bytes / kLooks) return;
  const util::Fd lock = try_lock(options_.directory);
  if (!lock) return;
  looked_through_ = true;
  added_ = added;
  std::vector<Copy> found = all_copies(options_.directory);
  std::uint64_t total = added;
  for (const Copy& copy : found) total += copy.bytes;
  if (total <= options_.bytes) return;
  std::ranges::sort(found, [](const Copy& a, const Copy& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  const auto wanted = static_cast<std::uint64_t>(static_cast<double>(options_.bytes) * (1 - kRoom));
  for (const Copy& copy : found) {
    if (total <= wanted) return;
    if (::unlink(copy.path.c_str()) == 0) total -= std::min(total, copy.bytes);
  }
}

}  // namespace hearth::store
