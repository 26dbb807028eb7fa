// A directory tree as the measuring programs see it: independent of Hearth's own walk, so that a limit stays one.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::bench {

struct Node {
  std::string path;  // relative to the root
  struct stat status = {};
};

// Every entry below `root`, by lstat of each in all cores' threads, in no particular order. Nothing is followed.
Result<std::vector<Node>> walk(const std::filesystem::path& root);

// Calls `work` with 0 … count−1, each once, from all cores' threads, in chunks of neighbours; ends at the first error.
Result<void> for_each(std::size_t count, const std::function<Result<void>(std::size_t)>& work);

// An entry with all that is needed to make it again.
struct Loaded {
  Node node;
  std::string content;  // of a file; the target of a symbolic link
  std::string first;    // of a further name of a file: the path of its first name
};

// Reads all contents into memory, ordered by path: parents before what they hold.
Result<std::vector<Loaded>> load(const std::filesystem::path& root);

// Makes the entries below `root`, which has to exist, with their modes and mtimes; directories get theirs at the end.
Result<void> make(const std::filesystem::path& root, const std::vector<const Loaded*>& entries);

// `count` small files that look like source code; the same ones every time.
Result<void> generate(const std::filesystem::path& root, std::size_t count);

// One file of about `bytes`, every other 256 KiB of it random; the same one every time.
Result<void> generate_file(const std::filesystem::path& path, std::uint64_t bytes);

// syncfs of the file system that `path` lies on.
Result<void> sync_file_system(const std::filesystem::path& path);

}  // namespace hearth::bench
