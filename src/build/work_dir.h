// The directories that a build works in: found again at the same paths by the app's next build, never shared by two,
// and gone when the build is.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "util/error.h"
#include "util/file.h"

namespace hearth::build {

// <root>/apps/<app>/<n>: the lowest n that nobody holds, so that an app's builds see one BUILD_DIR, one after the
// other. The lock (<root>/apps/<app>/<n>.lock, an flock) dies with the process; the directory is removed by the
// destructor.
//
//   tmp/      the sandbox's /tmp: build/, env/, buildpacks/, scratch/ and, once restored, cache/
//   app/      the sandbox's /app, HOME
//   private/  never shown to a build: what is being restored, the index of the cache, the slug, downloads
class WorkDir {
 public:
  // Makes the root (0711: a build user can pass, not look) and the directories above, which exist and are empty then.
  // A root that belongs to somebody else, or that others can write to, is denied; so is one that the user `owner`
  // cannot reach, where owner is given: tmp/ and app/ are his.
  static Result<WorkDir> open(const std::filesystem::path& root, std::string_view app);
  WorkDir(WorkDir&& other) noexcept
      : root_(std::move(other.root_)), path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  WorkDir& operator=(WorkDir&&) = delete;
  ~WorkDir();

  // What another process needs to go on in the directory. This object has nothing any more then; whoever adopts it
  // removes the directory, and nobody else can have it as long as a copy of the lock's descriptor is open.
  struct Held {
    std::filesystem::path root;
    std::filesystem::path path;
    util::Fd lock;
  };
  Held release();
  static WorkDir adopt(Held held);

  // Makes tmp/ with its folders and app/ the property of `owner` (uid and gid), who must be able to reach them.
  Result<void> hand_over(uid_t owner) const;

  const std::filesystem::path& root() const { return root_; }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path tmp() const { return path_ / "tmp"; }
  std::filesystem::path app() const { return path_ / "app"; }
  std::filesystem::path build() const { return tmp() / "build"; }
  std::filesystem::path cache() const { return tmp() / "cache"; }
  std::filesystem::path env() const { return tmp() / "env"; }
  std::filesystem::path buildpacks() const { return tmp() / "buildpacks"; }
  std::filesystem::path scratch() const { return tmp() / "scratch"; }
  std::filesystem::path agent() const { return path_ / "agent"; }
  std::filesystem::path own() const { return path_ / "private"; }

 private:
  Result<void> close() const;
  WorkDir(std::filesystem::path root, std::filesystem::path path, util::FileLock lock)
      : root_(std::move(root)), path_(std::move(path)), lock_(std::move(lock)) {}

  std::filesystem::path root_;
  std::filesystem::path path_;
  util::FileLock lock_;
};

// Removes what builds left behind that were killed: every work directory below `root` that nobody holds. Best effort.
void remove_abandoned(const std::filesystem::path& root);

// The lock of a slot, as the names below the root spell the app and the slot.
std::filesystem::path slot_lock(const std::filesystem::path& root, const std::filesystem::path& app,
                                const std::filesystem::path& slot);

// What outlives a build, below the work root: fetched buildpacks, slugs that could not be published, and caches.
std::filesystem::path buildpack_store(const std::filesystem::path& root);
std::filesystem::path kept_slugs(const std::filesystem::path& root);
std::filesystem::path kept_caches(const std::filesystem::path& root);

}  // namespace hearth::build
