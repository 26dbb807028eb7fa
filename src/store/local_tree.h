// Objects as files below a root directory: names, versions, order. Used by LocalStore only.
//
// The key is the path below the root. Hence an object cannot lie below another one ("a" and "a/b" exclude each other),
// and a segment has at most 255 bytes; both are refused as invalid. The folder ".hearth" in the root is the store's
// own, and no object. The root may lie behind links; below it none is followed, whoever made it: what lies behind one
// is no object, and nothing is written there.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "store/object_store.h"
#include "util/file.h"

namespace hearth::store {

constexpr std::string_view kOwnFolder = ".hearth";

// The error of a system call on the store's files. A read-only file system is denied, a server that is gone (stale
// handle, timeout) unavailable, a name that is too long invalid; the rest is as fail_errno has it.
std::unexpected<Error> refused(int code, std::string_view what);

// A name below a root: of an object, or of a folder.
struct Place {
  std::filesystem::path root;
  std::string below;  // relative; "" is the root itself

  // For messages.
  std::filesystem::path path() const { return below.empty() ? root : root / below; }
  // The folder that it lies in; of the root, the root.
  Place folder() const;
  // The last segment.
  std::string name() const;
};

// Where the object lies. invalid: see above.
Result<Place> place_of(const std::filesystem::path& root, const Key& key);

// As open(2) of what is there: no descriptor, and errno, where it fails.
util::Fd open_at(const Place& place, int flags);

// Makes what is missing of the folder and those above it (0700); the root is there. Returns 0, or an errno, so that a
// lost race can be told from a refusal.
int make_folders(const Place& folder);

// As open(2) of a file (0600), with O_CREAT: no descriptor, and errno, where it fails. Its folder is there.
util::Fd create_at(const Place& place, int flags);

// Of an errno: that nothing is there, or nothing that an object could be, such as something behind a link.
bool means_absent(int code);

// What is known of the object at this place; absent unless a regular file is there.
Result<std::optional<struct stat>> examine(const Place& place);

// Inode, size and modification time. LocalStore sees to it that no two states of an object have the same.
Version version_of(const struct stat& status);

ObjectInfo info_of(Key key, const struct stat& status, StoreTime now);

// Moves the file `name` of an open folder to where an object belongs, in one step; makes the folders (0700) that are
// missing. Other writers may remove empty folders at the same time.
Result<void> move_into_place(const util::Fd& folder, const std::string& name, const Place& place);

// What is absent, or no object, stays as it is.
Result<void> remove_file(const Place& place);

// Removes the folders from this one upwards as far as they are empty; never the root.
void remove_empty_folders(Place folder);

// Makes the names in a folder, and the folder's own, durable. It remembers the folders whose own name is durable, so
// that those above them are not synced again for each object; a folder that was removed and made anew is another one.
// May be used by several threads.
class FolderSync {
 public:
  // fsync of the folder, and of those above it, up to the root, as far as one between is not known to be durable.
  Result<void> sync(Place folder);
  // To be called when this process may have removed folders.
  void forget();

 private:
  struct Identity {
    std::uint64_t inode = 0;
    std::int64_t born = 0;  // in nanoseconds since 1970
    auto operator<=>(const Identity&) const = default;
  };
  // Absent where the file system does not tell a folder from an earlier one with its inode.
  static std::optional<Identity> identify(const util::Fd& folder);
  bool knows(const Identity& folder);

  std::mutex mutex_;
  std::set<Identity> durable_;
};

// Calls `visit` for every object below the prefix, in bytewise order of keys; holds the names of one folder per level.
using TreeVisitor = std::function<Result<void>(Key key, const struct stat& status)>;
Result<void> for_each_object(const std::filesystem::path& root, const Prefix& prefix, const TreeVisitor& visit);

}  // namespace hearth::store
