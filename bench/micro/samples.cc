#include "micro/samples.h"

#include <cstdlib>
#include <cstring>
#include <random>

#include "util/hash.h"

namespace hearth::bench {

namespace {

constexpr std::uint32_t kFilesInDirectory = 20;
constexpr std::uint32_t kLeastBytes = 500;
constexpr std::uint32_t kMostBytes = 4000;
constexpr std::uint32_t kFilesInBlock = 500;
constexpr std::uint32_t kTouched = 50;  // one file in so many
constexpr std::uint32_t kBlocksInPack = 64;
constexpr std::uint32_t kStoredBytes = 500'000;
constexpr std::uint32_t kHeader = 1000;  // the least that a pack may begin with
constexpr std::array<std::string_view, 8> kWords = {"import ", "return ", "const ", "function ",
                                                    "(a, b) ", ";\n  ",   "= {",    "x"};

constexpr std::int64_t kEpoch = 1'700'000'000'000'000'000;  // some day in 2023, in nanoseconds

void add_blocks(cache::Manifest& manifest, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t pack = i / kBlocksInPack;
    if (pack == manifest.packs.size()) {
      manifest.packs.push_back({.save = fmt::format("{:016x}", pack + 1), .number = pack, .bytes = 64 << 20});
    }
    manifest.blocks.push_back({.pack = pack,
                               .offset = kHeader + std::uint64_t{i % kBlocksInPack} * kStoredBytes,
                               .stored_bytes = kStoredBytes,
                               .raw_bytes = kFilesInBlock * kMostBytes,
                               .digest = util::sha256(fmt::format("block {}", i)),
                               .encoding = cache::Encoding::zstd});
  }
}

}  // namespace

std::vector<std::byte> noise(std::size_t size) {
  std::mt19937_64 random(1);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::byte> source_code(std::size_t size) {
  std::mt19937_64 random(2);
  std::string text;
  while (text.size() < size) fmt::format_to(std::back_inserter(text), "{}{}", kWords[random() % 8], random() % 1000);
  std::vector<std::byte> bytes(size);
  std::memcpy(bytes.data(), text.data(), size);
  return bytes;
}

cache::Manifest sample_manifest(std::uint32_t files, std::uint32_t seed) {
  cache::Manifest manifest;
  std::mt19937_64 random(3);
  add_blocks(manifest, (files + kFilesInBlock - 1) / kFilesInBlock);
  for (std::uint32_t file = 0; file < files; ++file) {
    const std::string directory = fmt::format("module-{:06}", file / kFilesInDirectory);
    if (file % kFilesInDirectory == 0) {
      manifest.entries.add({.path = cache::Path(directory),
                            .kind = cache::EntryKind::directory,
                            .mode = 0755,
                            .mtime = kEpoch,
                            .target = {},
                            .extents = {}});
    }
    const auto length = static_cast<std::uint32_t>(kLeastBytes + random() % (kMostBytes - kLeastBytes));
    const cache::Extent extent{
        .block = file / kFilesInBlock, .offset = file % kFilesInBlock * kMostBytes, .length = length};
    const auto mtime = kEpoch + static_cast<std::int64_t>(random() % 1'000'000'000'000);
    const std::string path = fmt::format("{}/file-{:07}.js", directory, file);
    manifest.entries.add({.path = cache::Path(path),
                          .kind = cache::EntryKind::file,
                          .mode = 0644,
                          .mtime = mtime + (file % kTouched == 0 ? seed : 0),
                          .size = length,
                          .target = {},
                          .extents = std::span(&extent, 1)});
  }
  return manifest;
}

ScratchDirectory::ScratchDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "hearth-micro-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace hearth::bench
