// Objects as files below a root directory: names, versions, order. Used by LocalStore only.
//
// The key is the path below the root. Hence an object cannot lie below another one ("a" and "a/b" exclude each other),
// and a segment has at most 255 bytes; both are refused as invalid. The folder ".hearth" in the root is the store's
// own, and no object.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "store/object_store.h"

namespace hearth::store {

constexpr std::string_view kOwnFolder = ".hearth";

// The error of a system call on the store's files. A read-only file system is denied, a server that is gone (stale
// handle, timeout) unavailable, a name that is too long invalid; the rest is as fail_errno has it.
std::unexpected<Error> refused(int code, std::string_view what);

// Where the object lies. invalid: see above.
Result<std::filesystem::path> path_of(const std::filesystem::path& root, const Key& key);

// What is known of the object at this path; absent unless a regular file is there.
Result<std::optional<struct stat>> examine(const std::filesystem::path& path);

// Inode, size and modification time. LocalStore sees to it that no two states of an object have the same.
Version version_of(const struct stat& status);

ObjectInfo info_of(Key key, const struct stat& status, StoreTime now);

// Moves a file to where an object belongs, in one step; makes the folders (0700) that are missing. Other writers may
// remove empty folders at the same time.
Result<void> move_into_place(const std::filesystem::path& file, const std::filesystem::path& path);

// Removes the folders from `folder` upwards as far as they are empty; never the root.
void remove_empty_folders(std::filesystem::path folder, const std::filesystem::path& root);

// fsync of the folders from `folder` up to the root.
Result<void> sync_folders(std::filesystem::path folder, const std::filesystem::path& root);

// Calls `visit` for every object below the prefix, in bytewise order of keys; holds the names of one folder per level.
using TreeVisitor = std::function<Result<void>(Key key, const struct stat& status)>;
Result<void> for_each_object(const std::filesystem::path& root, const Prefix& prefix, const TreeVisitor& visit);

}  // namespace hearth::store
