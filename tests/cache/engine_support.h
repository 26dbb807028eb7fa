// What the tests of save and restore share: trees to cache, a picture of a tree to compare, and a machine to work on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cache/cache.h"
#include "store/object_store.h"
#include "util/file.h"

namespace hearth::cache::testing {

// Everything about an entry that a restore promises.
struct Node {
  char kind = 'f';  // d, f, l
  std::uint32_t mode = 0;
  std::int64_t mtime = 0;
  std::string content;  // of a file: its SHA-256; of a link: its target
  std::string twin;     // of a file with several names: the first of them

  bool operator==(const Node&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Node& node);
};

// The cache that tests make unless they name another one.
inline const Name kName{.app = "demo", .stack = "heroku-24", .arch = "amd64"};

// By path; the directory itself is "". Empty if it does not exist.
using Picture = std::map<std::string, Node>;
Picture picture(const std::filesystem::path& directory);

void put_file(const std::filesystem::path& path, std::string_view content);
// Bytes that do not compress.
std::string noise(std::size_t bytes, unsigned seed);
// Every trap that file systems and buildpacks set.
void make_rich_tree(const std::filesystem::path& directory);
// `files` files of about `bytes` bytes each, in a few directories.
void make_plain_tree(const std::filesystem::path& directory, int files, std::size_t bytes, unsigned seed = 1);
// Directories that were made read-only must not keep a test from tidying up.
void wipe(const std::filesystem::path& directory);

// The keys of all objects but HEAD.
std::vector<store::Key> objects_of(store::ObjectStore& store);
std::vector<store::Key> all_objects_of(store::ObjectStore& store);

// With so many threads, and everything else as it is by default.
RestoreOptions restoring_with(unsigned threads, std::shared_ptr<util::Progress> progress = nullptr);
SaveOptions saving_with(unsigned threads, std::shared_ptr<util::Progress> progress = nullptr);

// A place with a cache directory, and an index beside it.
class Machine {
 public:
  explicit Machine(store::ObjectStore& store, std::string app = "demo");

  const std::filesystem::path& directory() const { return directory_; }
  const std::filesystem::path& index() const { return index_; }
  const std::filesystem::path& place() const { return place_.path(); }

  RestoreReport restore(const RestoreOptions& options = {}, std::stop_token stop = {});
  SaveReport save(std::stop_token stop = {});
  // Restores into nothing, as a fresh machine does.
  RestoreReport restore_anew();

 private:
  store::ObjectStore& store_;
  Name name_;
  util::TempDir place_;
  std::filesystem::path directory_;
  std::filesystem::path index_;
};

// What a fresh machine gets, and how.
Picture restored_picture(store::ObjectStore& store);

}  // namespace hearth::cache::testing
