#include "build/work_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "build/build.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// More builds of one app at once on one machine than anybody runs; a bound on the search.
constexpr int kMostSlots = 1000;
constexpr const char* kApps = "apps";
constexpr mode_t kPassOnly = 0711;
constexpr mode_t kOursOnly = 0700;

constexpr std::array kFolders = {"build", "env", "buildpacks", "scratch"};

std::string lock_name(const std::string& slot) {
  return slot + ".lock";
}

Result<void> make_root(const fs::path& root) {
  TRY(within("the work directory", util::make_directories(root, kPassOnly)));
  struct stat status{};
  if (::stat(root.c_str(), &status) != 0) return fail_errno(errno, root.native());
  if (status.st_uid != ::geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorKind::denied,
                "the work directory {} belongs to another user, or others can write to it: name one with --work",
                root.native());
  }
  // Only one that we made ourselves is certain to let the build user pass.
  const bool closed = (status.st_mode & S_IXOTH) == 0;
  if (closed && ::geteuid() == 0 && ::chmod(root.c_str(), status.st_mode | S_IXOTH) != 0) {
    return fail_errno(errno, root.native());
  }
  return {};
}

Result<void> make_slot(const fs::path& path) {
  TRY(util::remove_tree(path));
  for (const auto& [name, mode] : {std::pair{"", kPassOnly},
                                   {"tmp", kPassOnly},
                                   {"app", kPassOnly},
                                   {"agent", kOursOnly},
                                   {"private", kOursOnly}}) {
    const fs::path directory = path / name;
    if (::mkdir(directory.c_str(), mode) != 0 && errno != EEXIST) return fail_errno(errno, directory.native());
    // Past the umask.
    if (::chmod(directory.c_str(), mode) != 0) return fail_errno(errno, directory.native());
  }
  for (const char* folder : kFolders) TRY(util::make_directories(path / "tmp" / folder, 0755));
  return {};
}

// The first directory on the way to `path` that the user cannot pass; empty where there is none.
fs::path barrier(const fs::path& path, uid_t user) {
  fs::path on_the_way;
  for (const fs::path& component : path.parent_path()) {
    on_the_way /= component;
    struct stat status{};
    if (::stat(on_the_way.c_str(), &status) != 0) return on_the_way;
    const mode_t needed = status.st_uid == user ? S_IXUSR : S_IXOTH;
    if ((status.st_mode & needed) == 0) return on_the_way;
  }
  return {};
}

Result<void> give(const fs::path& path, uid_t owner) {
  if (::lchown(path.c_str(), owner, owner) != 0) return fail_errno(errno, path.native());
  return {};
}

void remove_abandoned_of(const fs::path& app) {
  std::error_code error;
  for (fs::directory_iterator entry(app, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".lock") continue;
    const fs::path lock_path = app / lock_name(entry->path().filename().native());
    // An absent slot's lock file would be made here; every slot that exists has one.
    const auto lock = util::FileLock::try_acquire(lock_path);
    if (lock) std::ignore = util::remove_tree(entry->path());
  }
}

}  // namespace

fs::path default_work_root(const std::map<std::string, std::string>& host_environment) {
  if (::geteuid() == 0) return "/var/tmp/hearth";
  const auto value = [&](const char* name) {
    const auto found = host_environment.find(name);
    return found == host_environment.end() ? fs::path() : fs::path(found->second);
  };
  if (const fs::path cache = value("XDG_CACHE_HOME"); cache.is_absolute()) return cache / "hearth";
  if (const fs::path home = value("HOME"); home.is_absolute()) return home / ".cache" / "hearth";
  return fmt::format("/var/tmp/hearth-{}", ::geteuid());
}

Result<WorkDir> WorkDir::open(const fs::path& root, std::string_view app) {
  TRY(make_root(root));
  const fs::path absolute = fs::canonical(root);
  const fs::path app_dir = absolute / kApps / util::percent_encode(app);
  TRY(util::make_directories(app_dir, kPassOnly));
  for (const fs::path& directory : {absolute / kApps, app_dir}) {
    if (::chmod(directory.c_str(), kPassOnly) != 0) return fail_errno(errno, directory.native());
  }
  for (int number = 0; number < kMostSlots; ++number) {
    const std::string slot = std::to_string(number);
    Result<util::FileLock> lock = util::FileLock::try_acquire(app_dir / lock_name(slot));
    if (!lock && lock.error().kind == ErrorKind::conflict) continue;
    if (!lock) return std::unexpected(std::move(lock).error());
    WorkDir work(absolute, app_dir / slot, std::move(*lock));
    TRY(make_slot(work.path_));
    return work;
  }
  return fail(ErrorKind::io, "{} builds of this app are running in {}", kMostSlots, app_dir.native());
}

WorkDir::Held WorkDir::release() {
  return {root_, std::exchange(path_, {}), lock_.release()};
}

WorkDir WorkDir::adopt(Held held) {
  return {std::move(held.root), std::move(held.path), util::FileLock::adopt(std::move(held.lock))};
}

WorkDir::~WorkDir() {
  // Nobody is left to tell; the next start removes what nobody holds.
  if (!path_.empty()) std::ignore = util::remove_tree(path_);
}

Result<void> WorkDir::hand_over(uid_t owner) const {
  if (owner == ::geteuid()) return close();
  for (const fs::path& directory : {tmp(), app(), agent()}) TRY(give(directory, owner));
  TRY(close());
  for (const char* folder : kFolders) TRY(give(tmp() / folder, owner));
  const fs::path closed = barrier(tmp(), owner);
  if (closed.empty()) return {};
  return fail(ErrorKind::denied,
              "the build user (uid {}) cannot pass {} on the way to the work directory: name another one with --work, "
              "or allow it with chmod o+x",
              owner, closed.native());
}

// Until here others could pass, so that a sandbox could see whether its user will be able to.
Result<void> WorkDir::close() const {
  for (const fs::path& directory : {tmp(), app()}) {
    if (::chmod(directory.c_str(), kOursOnly) != 0) return fail_errno(errno, directory.native());
  }
  return {};
}

void remove_abandoned(const fs::path& root) {
  std::error_code error;
  for (fs::directory_iterator app(root / kApps, error), end; !error && app != end; app.increment(error)) {
    if (app->is_directory(error)) remove_abandoned_of(app->path());
  }
}

fs::path buildpack_store(const fs::path& root) {
  return root / "buildpacks";
}

fs::path kept_slugs(const fs::path& root) {
  return root / "kept";
}

fs::path kept_caches(const fs::path& root) {
  return root / "caches";
}

fs::path slot_lock(const fs::path& root, const fs::path& app, const fs::path& slot) {
  return root / kApps / app / lock_name(slot.native());
}

}  // namespace hearth::build
