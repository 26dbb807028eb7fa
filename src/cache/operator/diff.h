// How one generation differs from another, and why a save stored what it did.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cache/generations/inspect.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// What is different about an entry; of several the first. Of a file with several names the first name tells.
enum class Change {
  added,
  removed,
  type,  // a file where a directory was, …; two names of one file are files
  content,
  target,  // of a symbolic link; or which file a name stands for, all else being the same
  mode,
  times,
};
inline constexpr std::size_t kChanges = 7;
std::string_view name(Change change);

struct Difference {
  Path path;
  Change change = Change::added;
  std::uint64_t before = 0;    // bytes of the file's content then; 0 for what has none of its own
  std::uint64_t after = 0;     // and now
  std::uint64_t uploaded = 0;  // of those: content that the newer generation's save has stored, before compression
};

struct ChangeSum {
  std::uint64_t entries = 0;
  std::uint64_t before = 0;
  std::uint64_t after = 0;
  std::uint64_t uploaded = 0;

  void add(const Difference& difference);
  bool operator==(const ChangeSum&) const = default;
};

// What the newer generation's save stored: as its report said.
struct Upload {
  std::uint64_t packs = 0;
  std::uint64_t pack_bytes = 0;
  std::uint64_t manifest_bytes = 0;
  std::uint64_t content_bytes = 0;  // what lies in it, before compression
  // Of it, of files whose content is the same as before: stored anew because the directory is small (its content rides
  // in the manifest), because a pack had become mostly waste, or because one was damaged.
  std::uint64_t known_bytes = 0;
};

struct Diff {
  std::array<ChangeSum, kChanges> changes;  // by Change
  std::uint64_t unchanged = 0;              // entries
  Upload upload;
  std::string warning;  // why contents that lie elsewhere now count as changed without a closer look; "" for nothing

  const ChangeSum& of(Change change) const { return changes[static_cast<std::size_t>(change)]; }
};

// Compares two generations of one cache. `visit` is called for each difference, in bytewise order of the paths; the
// path is valid during the call. Where content lies elsewhere in the store than before, the trailers of its packs tell
// whether it is the same (content that was cut into other chunks is not recognised). Errors, all of them
// before the first call of `visit`: the store's, and cancelled.
Result<Diff> diff(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& older,
                  const OpenedGeneration& newer, const std::function<void(const Difference&)>& visit,
                  const std::stop_token& stop);

// Differences by directory.
class DirectorySums {
 public:
  // An entry counts for the directory that it lies in, and one that lies deeper than `depth` levels for the one above
  // it at that level; "" is the top, and all that depth 0 knows.
  explicit DirectorySums(unsigned depth) : depth_(depth) {}

  void add(const Difference& difference);

  struct Directory {
    std::string path;
    ChangeSum added;
    ChangeSum removed;
    ChangeSum changed;
    std::uint64_t bytes() const { return added.after + removed.before + changed.after; }
  };
  // Those with the most bytes first, then by name.
  std::vector<Directory> sorted() const;

 private:
  const unsigned depth_;
  std::map<std::string, Directory, std::less<>> directories_;
};

}  // namespace hearth::cache
