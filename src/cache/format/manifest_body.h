// The inside of a manifest object, before compression: the parts that full manifests and deltas share. docs/format.md
// has the grammar.
#pragma once

#include <string>

#include "cache/format/bytes.h"
#include "cache/format/manifest.h"

namespace hearth::cache {

void write_packs(ByteWriter& writer, const std::vector<PackName>& packs);
// More than a manifest has room for fail the reader.
std::vector<PackName> read_packs(ByteReader& reader);

void write_block(ByteWriter& writer, const Block& block);
Block read_block(ByteReader& reader);
// No block takes fewer bytes.
inline constexpr std::size_t kLeastBlockBytes = 37;

// Times one after the other, each told by its difference to the one before. Differences wrap around, so that hostile
// numbers are harmless.
class TimeRow {
 public:
  void write(ByteWriter& writer, std::int64_t time) {
    writer.zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(time) - last_));
    last_ = static_cast<std::uint64_t>(time);
  }
  std::int64_t read(ByteReader& reader) {
    last_ += static_cast<std::uint64_t>(reader.zigzag());
    return static_cast<std::int64_t>(last_);
  }

 private:
  std::uint64_t last_ = 0;
};

// Entries one after the other: each path is told by what it shares with the one before, times by their difference,
// content by where it goes on from.
class EntryWriter {
 public:
  explicit EntryWriter(ByteWriter& writer) : writer_(writer) {}
  void write(const Entry& entry);

 private:
  void write_extents(const Entry& entry);
  ByteWriter& writer_;
  std::string path_;
  TimeRow mtime_;
  Extent last_{.block = UINT32_MAX, .offset = 0, .length = 0};
};

class EntryReader {
 public:
  explicit EntryReader(ByteReader& reader) : reader_(reader) {}
  // Appends one entry, or fails the reader, as it does for more extents than the manifest has room for. The entry's own
  // rules are check()'s.
  void read_into(Manifest& manifest);

 private:
  void read_extents(std::uint64_t size, const Manifest& manifest);
  ByteReader& reader_;
  std::string path_;
  std::vector<Extent> extents_;
  TimeRow mtime_;
  Extent last_{.block = UINT32_MAX, .offset = 0, .length = 0};
};
// No entry takes fewer bytes.
inline constexpr std::size_t kLeastEntryBytes = 5;

}  // namespace hearth::cache
