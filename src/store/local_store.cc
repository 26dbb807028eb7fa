#include "store/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "store/body.h"
#include "store/local_draft.h"
#include "store/local_tree.h"
#include "store/pause.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kReadStep = std::size_t{1} << 20;
constexpr std::uint64_t kLittle = std::uint64_t{64} << 10;

std::unexpected<Error> absent(const Place& place) {
  return fail(ErrorKind::not_found, "no object {}", place.path().native());
}

Result<void> require(const Condition& condition, const std::optional<struct stat>& there, const Place& place) {
  const bool holds =
      condition.kind == Condition::Kind::none || (condition.kind == Condition::Kind::if_absent && !there) ||
      (condition.kind == Condition::Kind::if_version && there && version_of(*there) == condition.version);
  if (!holds) return fail(ErrorKind::conflict, "{} was changed by another writer", place.path().native());
  return {};
}

using OnMoved = std::function<void(std::uint64_t bytes)>;

Result<std::vector<std::byte>> read_part(const util::Fd& file, ByteRange part, const OnMoved& on_moved,
                                         const std::stop_token& stop) {
  std::vector<std::byte> bytes(part.length);
  for (std::size_t done = 0; done < bytes.size();) {
    TRY(go_on(stop));
    const auto step = std::span(bytes).subspan(done, std::min(kReadStep, bytes.size() - done));
    const std::size_t count = TRY(util::read_at(file.get(), step, part.offset + done));
    if (count < step.size()) return fail(ErrorKind::corrupt, "the file became shorter while it was read");
    done += count;
    if (on_moved) on_moved(count);
  }
  return bytes;
}

bool no_locks(int code) {
  return code == ENOLCK || code == EOPNOTSUPP || code == ENOSYS || code == EINVAL;
}

// And of every parent that is missing; their names are durable when it returns, as far as that can be had.
Result<void> make_root(const fs::path& root) {
  std::vector<fs::path> changed;
  std::error_code unknown;
  for (fs::path made = root; made.has_relative_path() && !fs::exists(made, unknown); made = made.parent_path()) {
    changed.push_back(made.parent_path());
  }
  TRY(within("the store cannot be created", util::make_directories(root, 0700)));
  // Not every directory may be read by whoever may create something in it.
  for (const fs::path& folder : changed) std::ignore = util::sync_directory(folder);
  return {};
}

}  // namespace

Result<std::unique_ptr<LocalStore>> LocalStore::open(const fs::path& root, const LocalOptions& options) {
  if (!root.is_absolute()) {
    return fail(ErrorKind::invalid, "the store's directory must be an absolute path: {}", root.native());
  }
  fs::path plain = root.lexically_normal();
  if (!plain.has_filename()) plain = plain.parent_path();
  std::error_code unknown;
  if (!fs::is_directory(plain, unknown)) TRY(make_root(plain));
  std::unique_ptr<LocalStore> store(new LocalStore(std::move(plain), options));
  store->prepare();
  return store;
}

void LocalStore::prepare() {
  if (!make_own_folders()) return;
  clock_ = create_at(own_place("clock"), O_RDWR);
  if (!clock_) return;
  if (::flock(clock_.get(), LOCK_SH | LOCK_NB) != 0 && no_locks(errno)) compare_and_swap_ = CompareAndSwap::absent;
  std::ignore = ::flock(clock_.get(), LOCK_UN);
  remove_dead_drafts(own_place("drafts"), now(), options_.leftover_age);
}

Result<Object> LocalStore::get(const Key& key, ByteRange range, std::stop_token stop) {
  TRY(go_on(stop));
  const Place place = TRY(place_of(root_, key));
  const util::Fd file = open_at(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file && means_absent(errno)) return absent(place);
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) {
    return refused(errno, fmt::format("opening {}", place.path().native()));
  }
  if (!S_ISREG(status.st_mode)) return absent(place);
  const std::string path = place.path().native();
  ObjectInfo info = info_of(key, status, now());
  const ByteRange part = TRY(within(path, clip(range, info.size)));
  std::vector<std::byte> bytes = TRY(within(path, read_part(file, part, options_.on_moved, stop)));
  return Object{std::move(info), std::move(bytes)};
}

Result<Version> LocalStore::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  TRY(go_on(stop));
  auto version = put_draft(key, body, condition, stop);
  // A directory that vanished is no answer about the object.
  if (!version && version.error().kind == ErrorKind::not_found) version.error().kind = ErrorKind::io;
  if (!version && version.error().kind == ErrorKind::io) {
    return within(fmt::format("storing {} in {}", key.text(), root_.native()), std::move(version));
  }
  return version;
}

Result<Version> LocalStore::put_draft(const Key& key, Body body, const Condition& condition,
                                      const std::stop_token& stop) {
  const Place place = TRY(place_of(root_, key));
  TRY(make_own_folders());
  Draft draft = TRY(Draft::create(own_place("drafts")));
  const auto append = [&](std::span<const std::byte> piece) -> Result<void> {
    TRY(draft.append(piece));
    if (options_.on_moved) options_.on_moved(piece.size());
    return {};
  };
  TRY(for_each_piece(body, append, stop));
  TRY(draft.stamp(now()));
  // What takes long comes before the lock; syncing a little again, should its time have to change, is dearer.
  if (TRY(body_size(body)) > kLittle) TRY(draft.sync());
  const util::Fd held = TRY(lock(key, stop));
  const std::optional<struct stat> there = TRY(examine(place));
  TRY(require(condition, there, place));
  if (there) TRY(draft.make_newer_than(*there));
  TRY(draft.sync());
  Version version = TRY(draft.publish(place));
  auto durable = folders_.sync(place.folder());
  if (!durable) return fail(ErrorKind::unavailable, "{}", durable.error().message);
  return version;
}

Result<ObjectInfo> LocalStore::stat(const Key& key, std::stop_token stop) {
  TRY(go_on(stop));
  const Place place = TRY(place_of(root_, key));
  const std::optional<struct stat> status = TRY(examine(place));
  if (!status) return absent(place);
  return info_of(key, *status, now());
}

Result<void> LocalStore::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  TRY(go_on(stop));
  const StoreTime time = now();
  return for_each_object(root_, prefix, [&](Key key, const struct stat& status) -> Result<void> {
    TRY(go_on(stop));
    return visit(info_of(std::move(key), status, time));
  });
}

Result<void> LocalStore::remove(const Key& key, std::stop_token stop) {
  TRY(go_on(stop));
  const Place place = TRY(place_of(root_, key));
  const std::optional<struct stat> seen = TRY(examine(place));
  if (!seen) return {};
  const util::Fd held = TRY(lock(key, stop));
  TRY(remove_file(place));
  remove_empty_folders(place.folder());
  folders_.forget();
  return {};
}

Place LocalStore::own_place(std::string_view name) const {
  return {.root = root_, .below = fmt::format("{}/{}", kOwnFolder, name)};
}

std::string LocalStore::description() const {
  return "file://" + root_.native();
}

Result<void> LocalStore::make_own_folders() const {
  const Place drafts = own_place("drafts");
  const int code = make_folders(drafts);
  if (code == 0) return {};
  return refused(code, fmt::format("the store cannot be written: making the directory {}", drafts.path().native()));
}

StoreTime LocalStore::now() const {
  struct stat status{};
  if (clock_ && ::futimens(clock_.get(), nullptr) == 0 && ::fstat(clock_.get(), &status) == 0) {
    return StoreTime(std::chrono::seconds(status.st_mtim.tv_sec));
  }
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Result<util::Fd> LocalStore::lock(const Key& key, const std::stop_token& stop) const {
  if (compare_and_swap_ == CompareAndSwap::absent) return util::Fd();
  const Place place = own_place(fmt::format("lock-{}", util::sha256(key.text()).hex().front()));
  const std::string path = place.path().native();
  TRY(make_own_folders());
  util::Fd file = create_at(place, O_RDWR);
  if (!file) return refused(errno, fmt::format("opening {}", path));
  const auto deadline = std::chrono::steady_clock::now() + options_.lock_deadline;
  std::chrono::milliseconds step{1};
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return refused(errno, fmt::format("locking {}", path));
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(ErrorKind::unavailable, "another process has held {} for {}", path,
                  util::human_duration(options_.lock_deadline));
    }
    TRY(pause(step, stop));
    step = std::min(step * 2, std::chrono::milliseconds(50));
  }
  return file;
}

}  // namespace hearth::store
