// What the micro-benchmarks work on; the same every time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/format/manifest.h"

namespace hearth::bench {

// Random, so that nothing compresses it.
std::vector<std::byte> noise(std::size_t size);
// Like source code: zstd makes about a quarter of it.
std::vector<std::byte> source_code(std::size_t size);

// A directory of `files` small files, 20 in each of its subdirectories; `seed` moves the time of one file in 50.
cache::Manifest sample_manifest(std::uint32_t files, std::uint32_t seed);

// A new directory below TMPDIR, or /tmp, that goes with the object.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace hearth::bench
