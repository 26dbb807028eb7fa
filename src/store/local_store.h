// Objects as files of a local or shared file system (file://).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "store/local_tree.h"
#include "store/object_store.h"
#include "util/file.h"

namespace hearth::store {

struct LocalOptions {
  // How long a put or remove waits for another one in the same sixteenth of the keys; then it is unavailable.
  std::chrono::milliseconds lock_deadline{10'000};
  // What a killed writer left is removed by an open when it is this old.
  std::chrono::seconds leftover_age{3600};
  // Told of the bytes that get and put have moved, while they move them; from any thread. May be empty.
  std::function<void(std::uint64_t bytes)> on_moved = {};
};

// An object is the file <root>/<key>, 0600, in folders of 0700: the store is its owner's alone. Keys that are possible:
// see local_tree.h. Links and other special files are no objects, and are not followed below the root, not in the
// middle of a key either: what lies behind one is absent, and a put there is invalid. A store whose own folder is, or
// has, a link takes no put.
//
// Several processes may use one root at the same time, also over NFS where flock works there (NFSv4): put and remove of
// one key exclude each other by flock on <root>/.hearth/lock-<x>. Where flock is refused, compare_and_swap() is absent.
// put: a file in <root>/.hearth/drafts, fsync, rename, fsync of its folder and of those above it that this store has
// not synced before. A removal may be undone by a power cut. A failure after the rename is unavailable, since the
// object may be there.
//
// The version is inode, size and modification time. At each put the time gets random nanoseconds, and is made later
// than that of the object which is replaced, while both files exist: so versions differ whatever the granularity of the
// file system's times, and can be told without reading a byte. Whoever copies a store elsewhere changes them all.
//
// The store's clock is the file system's own: the time of a file that it was told to touch. Where that is refused
// (read-only store) it is this machine's.
class LocalStore : public ObjectStore {
 public:
  // `root` is absolute, and is created, with its parents, if it is absent (0700). Cannot be: denied, io or invalid.
  static Result<std::unique_ptr<LocalStore>> open(const std::filesystem::path& root, const LocalOptions& options = {});

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return compare_and_swap_; }
  std::string description() const override;

 private:
  LocalStore(std::filesystem::path root, const LocalOptions& options) : root_(std::move(root)), options_(options) {}

  void prepare();  // what open does in the store's own folder; a store that refuses it is read-only
  Place own_place(std::string_view name) const;  // in the store's own folder
  Result<void> make_own_folders() const;
  StoreTime now() const;
  Result<util::Fd> lock(const Key& key, const std::stop_token& stop) const;
  Result<Version> put_draft(const Key& key, Body body, const Condition& condition, const std::stop_token& stop);

  const std::filesystem::path root_;
  const LocalOptions options_;
  FolderSync folders_;
  util::Fd clock_;  // the file that is touched; absent if the store is read-only
  CompareAndSwap compare_and_swap_ = CompareAndSwap::honoured;
};

}  // namespace hearth::store
