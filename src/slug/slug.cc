#include "slug/slug.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "slug/parallel_gzip.h"
#include "slug/tar_stream.h"
#include "slug/tree_walk.h"
#include "util/file.h"

namespace hearth::slug {

namespace fs = std::filesystem;

namespace {

// "a" and "a/b" of "a/b/c/d"; nothing of a file at the top.
std::vector<std::string> upper_directories(const std::string& path) {
  constexpr int kLevels = 2;
  std::vector<std::string> directories;
  std::size_t slash = path.find('/');
  for (int level = 0; level < kLevels && slash != std::string::npos; ++level) {
    directories.push_back(path.substr(0, slash));
    slash = path.find('/', slash + 1);
  }
  return directories;
}

}  // namespace

Result<Slug> write(const fs::path& app_dir, const fs::path& file, const Options& options, std::stop_token stop) {
  const std::string context = fmt::format("writing the slug of {}", app_dir.native());
  TarStream tar = TRY(within(context, TarStream::open(app_dir, options.owner)));
  const util::Fd out = TRY(within(context, util::open_file(file, O_WRONLY | O_CREAT | O_TRUNC)));
  const GzipOptions gzip_options{.level = options.compression_level, .threads = options.threads};
  const Result<Compressed> compressed =
      within(context, gzip([&](std::span<std::byte> into) { return tar.read(into); }, out, gzip_options, stop));
  if (!compressed) {
    ::unlink(file.c_str());
    return std::unexpected(compressed.error());
  }
  return Slug{.bytes = compressed->bytes, .files = tar.members(), .sha256 = compressed->sha256};
}

std::vector<std::pair<std::string, std::uint64_t>> largest_directories(const fs::path& app_dir, std::size_t count) {
  std::map<std::string, std::uint64_t> sizes;
  std::set<std::pair<dev_t, ino_t>> linked;
  Result<TreeWalk> walk = TreeWalk::open(app_dir);
  while (walk) {
    const Result<std::optional<WalkEntry>> next = walk->next();
    if (!next || !*next) break;
    const WalkEntry& entry = **next;
    if (entry.path == ".git") walk->skip_content();
    if (!S_ISREG(entry.status.st_mode)) continue;
    if (entry.status.st_nlink > 1 && !linked.emplace(entry.status.st_dev, entry.status.st_ino).second) continue;
    for (const std::string& directory : upper_directories(entry.path)) {
      sizes[directory] += static_cast<std::uint64_t>(entry.status.st_size);
    }
  }
  std::vector<std::pair<std::string, std::uint64_t>> largest(sizes.begin(), sizes.end());
  std::ranges::stable_sort(largest, std::ranges::greater(), [](const auto& entry) { return entry.second; });
  largest.resize(std::min(count, largest.size()));
  return largest;
}

}  // namespace hearth::slug
