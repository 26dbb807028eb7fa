// Keeps a directory in an object store as generations: save records it, restore makes it again. docs/format.md
// specifies every stored byte, and the protocol that makes concurrent and crashed writers harmless.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

#include "cache/format/compression.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/ignore_rules.h"
#include "util/progress.h"

namespace hearth::cache {

// Which cache: "apps/<app>" with the stack and the architecture it was made for.
struct Name {
  std::string app;    // any text; percent-encoded in object names
  std::string stack;  // "heroku-24"
  std::string arch;   // "amd64", "arm64"

  bool operator==(const Name&) const = default;
};

// Which generations a restore tries.
enum class From {
  in_force,     // from the newest on
  failed_first  // what the last build left that failed, if a save kept it (SaveAs::failed); then those in force
};

struct RestoreOptions {
  std::optional<uid_t> owner;  // uid and gid of everything created; absent: ours
  unsigned threads = 0;        // 0: two per core, 4 to 24
  unsigned transfers = 0;      // requests at a time; 0: as many as suit the machine. Each holds some MiB
  // Apps whose cache, of the same stack and architecture, is restored where this one has none: the first that has one
  // that can be restored. Nothing is written to theirs; what comes of it is the app's own with its next save.
  std::vector<std::string> seeds;
  From from = From::in_force;
  std::shared_ptr<util::Progress> progress = nullptr;  // of what is fetched and unpacked, as it is stored; may be null
};

enum class RestoreOutcome { hit, fallback, miss, damaged, unavailable, late };
std::string_view name(RestoreOutcome outcome);

struct RestoreReport {
  RestoreOutcome outcome = RestoreOutcome::miss;
  std::string generation;  // the restored one; empty without one
  std::string seed;        // the app whose cache it is, where that is another one; empty else
  bool of_failed = false;  // it is what a failed build left
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;          // of the files' contents
  std::uint64_t fetched_bytes = 0;  // of manifests and packs, damaged ones included
  std::vector<std::string> warnings;
};

enum class SaveOutcome { saved, unchanged, failed, superseded, late };
std::string_view name(SaveOutcome outcome);

// What a save makes of the directory.
enum class SaveAs {
  newest,  // the generation that restores take from now on; what failed builds left goes
  failed   // one aside, which is restored only by From::failed_first; what is in force stays so
};

struct SaveOptions {
  unsigned threads = 0;    // 0: two per core, 4 to 24, and one per core to list the directory
  unsigned transfers = 0;  // files that are read, and packs of them stored, at a time; 0: as many as suit the machine
  // zstd's. With the default, what a save adds to a cache is packed tighter where it is little.
  int compression_level = kDefaultCompressionLevel;
  // What the files may have together, in bytes; trim.h says what is left out of a directory that has more. 0: anything.
  std::uint64_t max_bytes = 0;
  util::IgnoreRules exclude;  // what they name, relative to the directory, is left out
  SaveAs as = SaveAs::newest;
  std::shared_ptr<util::Progress> progress = nullptr;  // of the contents that are read and stored; may be null
};

struct SaveReport {
  SaveOutcome outcome = SaveOutcome::failed;
  std::string generation;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t read_bytes = 0;      // of files' contents, to hash and compress
  std::uint64_t uploaded_bytes = 0;  // of manifests and packs, as the number of objects; HEAD does not count
  std::uint64_t uploaded_objects = 0;
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t removed = 0;
  std::uint64_t trimmed_files = 0;  // left out for SaveOptions::max_bytes
  std::uint64_t trimmed_bytes = 0;
  std::uint64_t left_out = 0;  // entries that SaveOptions::exclude names; what lies in directories does not count
  std::vector<std::string> warnings;
};

// Makes `directory` equal the newest good generation. `directory` is absent, empty, or what the last restore or save
// with this index left there (make_room), of which is kept what the index proves to be as it should; its parent exists,
// is on one file system with it, and writable. Ends in exactly what was saved, or in no directory or an empty one:
// every byte is verified before it is visible at `directory`. Writes the index file at `index` (what was restored,
// bound to store, name and generation; the next save reads nothing that it proves unchanged). Never an error: the
// outcome tells; a seed that cannot be had is a miss, with a warning. A stop request is `late`. Only what can be
// neither moved nor removed stays at `directory`, and nothing is restored: unavailable.
RestoreReport restore(store::ObjectStore& store, const Name& name, const std::filesystem::path& directory,
                      const std::filesystem::path& index, const RestoreOptions& options, std::stop_token stop);

// Records `directory` as the new newest generation; an absent or empty one, too, if there was more before. `index` is
// what the restore or the save before has written (absent: everything is read); it is written anew. Changes nothing in
// the directory. What cannot be read, and what is neither file, directory nor symbolic link, is left out with a
// warning. Once a day it also looks for objects that nobody needs any more. Never an error: the outcome tells; a failed
// save leaves the old cache in force.
SaveReport save(store::ObjectStore& store, const Name& name, const std::filesystem::path& directory,
                const std::filesystem::path& index, const SaveOptions& options, std::stop_token stop);

// The generation is not restored any more, and a save that builds on it is dropped; it stays aside for a look. One that
// is not in force (any more) is success: there is nothing to do. Errors: the store's; corrupt, invalid (a newer HEAD).
Result<void> set_aside(store::ObjectStore& store, const Name& name, const std::string& generation,
                       std::stop_token stop);

// For directories that are no part of a build: where the index of `directory` lies, hidden beside it.
std::filesystem::path index_path(const std::filesystem::path& directory);

enum class Replace { no, yes };

// Makes `directory` ready for a restore: what is neither absent, nor empty, nor what the last restore or save with this
// index left there is removed with all that is in it with Replace::yes, else it is invalid.
Result<void> make_room(const std::filesystem::path& directory, const std::filesystem::path& index, Replace replace);

}  // namespace hearth::cache
