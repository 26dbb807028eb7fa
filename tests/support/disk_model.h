// A disk that forgets: from the calls that a process made below a directory, what a power cut may leave of it.
//
// Changes of names (create, rename, remove, mkdir, rmdir) are durable once the directory was synced in which the name
// (of a rename: the new one) lies; each happens in one step, and that of a directory carries nothing of what is in it.
// Content, size and time of a file are durable once the file was synced. Whatever is not durable when the power goes
// happened or did not, each change on its own and in any combination; content that did not arrive may also be zeros.
// That is less than any journaling file system promises. A write is taken to write all of its bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "support/file_calls.h"

namespace hearth::support {

// What becomes of what is not durable.
enum class Unsynced { lost, names_only, names_and_zeros, kept, random };
// Which syncs count; a disk that ignores some shows that a test would notice if they were missing.
enum class Syncs { all, none_of_files, none_of_directories };

// What lies below the directory: by relative path. Directories have no content.
struct DiskFile {
  bool is_directory = false;
  std::string bytes;
  timespec modified{};
};
using DiskState = std::map<std::string, DiskFile>;

// Makes the state in an empty directory.
void put_on_disk(const DiskState& state, const std::filesystem::path& directory);

class DiskRecorder : public FileCallListener {
 public:
  // The directory is empty.
  explicit DiskRecorder(const std::filesystem::path& directory) : FileCallListener(directory) {}

  void after(const FileCall& call) override;

  // How many calls were recorded until now; a cut at this number comes right after them.
  std::size_t size() const;

  // Once nothing is recorded any more. `random` is used by Unsynced::random.
  DiskState state_after_cut(std::size_t cut, Unsynced unsynced, Syncs syncs, std::minstd_rand& random) const;

 private:
  enum class Kind { create, make_directory, rename, remove, write, resize, times, sync_file, sync_directory };
  struct Event {
    Kind kind = Kind::create;
    int file = -1;                     // that the names or the content belong to
    std::string path;                  // relative
    std::string to;                    // rename
    std::uint64_t offset = 0;          // write; the size of a resize
    std::string bytes;                 // write
    timespec modified{};               // times
    std::size_t synced_at = SIZE_MAX;  // the event that made it durable
  };
  struct Replay;

  std::string relative(const std::filesystem::path& path) const;
  void record(Event event);
  static bool is_content(const Event& event);
  static bool is_durable(const Event& event, std::size_t cut, Syncs syncs);

  mutable std::mutex mutex_;
  std::vector<Event> events_;
  std::map<std::string, int> names_;  // as they are now
  std::map<ino_t, int> files_;        // that have a name, or had one
  int next_file_ = 0;
};

}  // namespace hearth::support
