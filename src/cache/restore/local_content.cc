#include "cache/restore/local_content.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "cache/cache.h"
#include "cache/format/chunker.h"
#include "cache/format/content_digest.h"
#include "cache/format/manifest.h"
#include "cache/tree/beside.h"
#include "cache/tree/file_reader.h"
#include "cache/tree/index.h"
#include "cache/tree/parallel.h"
#include "cache/tree/save_plan.h"
#include "cache/tree/segments.h"
#include "cache/tree/warnings.h"
#include "util/file.h"

namespace hearth::cache {

Result<LocalContent> LocalContent::open(const std::filesystem::path& directory, const std::stop_token& stop) {
  std::filesystem::path tidied = tidy(directory);
  Directories directories = TRY(Directories::open(tidied));
  Warnings unread;
  Listing listing = TRY(walk(directories.root(), core_count(0), {}, unread, stop));
  return LocalContent(std::move(tidied), std::move(directories), std::move(listing));
}

bool LocalContent::read(const Path& path, std::uint64_t size, std::uint64_t offset, std::span<std::byte> bytes) {
  const Result<Directories::Place> place = directories_.place_of(path);
  if (!place) return false;
  // O_NONBLOCK: a pipe must not hold us up.
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const util::Fd fd(::openat(place->directory->get(), place->name.c_str(), kFlags));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) != size) {
    return false;
  }
  const Result<std::size_t> count = util::read_at(fd.get(), bytes, offset);
  return count && *count == bytes.size();
}

bool LocalContent::read_as_listed(const Path& path, std::uint64_t offset, std::span<std::byte> bytes) {
  const auto indices = std::views::iota(std::size_t{0}, listing_.size());
  const auto found = std::ranges::lower_bound(indices, path, {}, [this](std::size_t i) { return listing_[i].path; });
  if (found == indices.end() || listing_[*found].path != path) return false;
  FileReader files(directories_.root());
  std::vector<std::byte> room(bytes.size());
  const Result<FilePart> part = files.read(path, listing_.status(*found), offset, room);
  if (!part || part->outcome != ReadOutcome::good) return false;
  std::ranges::fill(bytes, std::byte{0});
  std::span<const std::byte> rest(part->bytes);
  for (const Stretch& stretch : part->stretches) {
    if (stretch.kind == Stretch::Kind::data) {
      std::ranges::copy(rest.first(stretch.length), bytes.begin());
      rest = rest.subspan(stretch.length);
    }
    bytes = bytes.subspan(stretch.length);
  }
  return true;
}

Result<void> LocalContent::look_for(const std::set<util::Digest>& digests, const std::stop_token& stop) {
  for (std::size_t entry = 0; entry < listing_.size(); ++entry) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while reading {}", directory_.native());
    const FileStatus status = listing_.status(entry);
    if (status.is_file() && status.size > 0) TRY(look_into(entry, digests, stop));
  }
  return {};
}

Result<void> LocalContent::look_into(std::size_t entry, const std::set<util::Digest>& digests,
                                     const std::stop_token& stop) {
  const FoundEntry found = listing_[entry];
  FileReader files(directories_.root());
  const std::uint64_t size = found.status.size;
  std::vector<std::byte> room(size <= kWholeFile ? size : kSegmentRoom);
  std::uint64_t offset = 0;
  const auto take = [&](const FilePart& part) {
    std::span<const std::byte> rest(part.bytes);
    for (const Stretch& stretch : part.stretches) {
      if (stretch.kind == Stretch::Kind::data) {
        const util::Digest digest = content_digest(rest.first(stretch.length));
        if (digests.contains(digest)) places_.try_emplace(digest, Place{entry, offset, stretch.length});
        rest = rest.subspan(stretch.length);
      }
      offset += stretch.length;
    }
  };
  if (size <= kWholeFile) {
    const Result<FilePart> whole = files.read(found.path, found.status, 0, room);
    if (whole && whole->outcome == ReadOutcome::good) take(*whole);
    return {};
  }
  SegmentCutter cutter;
  for (std::uint64_t at = 0; at < size; at += kSegmentBytes) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while reading {}", found.path);
    const std::uint64_t length = std::min(size - at, kSegmentBytes);
    Result<FilePart> part = files.read(found.path, found.status, at, std::span(room).subspan(kMostChunk, length));
    if (!part || part->outcome != ReadOutcome::good) return {};
    take(cutter.cut(std::move(*part), room, at + length == size));
  }
  return {};
}

bool LocalContent::read(const util::Digest& digest, std::span<std::byte> bytes) {
  const auto place = places_.find(digest);
  if (place == places_.end() || place->second.length != bytes.size()) return false;
  const FoundEntry found = listing_[place->second.entry];
  return read(found.path, found.status.size, place->second.offset, bytes) && content_digest(bytes) == digest;
}

std::vector<std::string> LocalContent::unchanged_since(const std::string& generation, const std::string& epoch,
                                                       const std::string& head_key, const std::string& store) const {
  std::optional<Index> index = read_index(index_path(directory_));
  if (!index || index->generation != generation || index->epoch != epoch || index->head != head_key ||
      index->store != store || mark_of(directory_) != index->directory) {
    return {};
  }
  Result<Manifest> manifest = decode_manifest(index->manifest);
  if (!manifest || manifest->entries.size() != index->files.size()) return {};
  Base base{.manifest = std::move(*manifest), .index = std::move(index)};
  std::vector<std::string> paths;
  for (std::size_t entry = 0; entry < listing_.size(); ++entry) {
    const FoundEntry found = listing_[entry];
    const std::optional<std::size_t> known = base.manifest.entries.find(found.path);
    if (known && found.status.is_file() && proved_unchanged(found, base, static_cast<std::uint32_t>(*known))) {
      paths.push_back(found.path.text());
    }
  }
  return paths;
}

}  // namespace hearth::cache
