// The content of the files of a save: reads it once, finds what the base has already, and puts the rest into blocks.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <unordered_map>
#include <vector>

#include "cache/format/compression.h"
#include "cache/format/manifest.h"
#include "cache/packs/chunk_index.h"
#include "cache/packs/pack_writer.h"
#include "cache/save/batches.h"
#include "cache/tree/directories.h"
#include "cache/tree/save_plan.h"
#include "cache/tree/segments.h"
#include "cache/tree/tree.h"
#include "cache/tree/warnings.h"
#include "util/error.h"
#include "util/progress.h"

namespace hearth::cache {

// One file whose content is to be had.
struct ContentJob {
  enum class From { disk, base };
  std::uint32_t found = 0;     // index of the found entry
  From from = From::disk;      // base: from the inline bytes of the base's manifest
  std::uint32_t base = kNone;  // the base's entry with this path
};

struct Content {
  enum class State : std::uint8_t { good, changed, left_out };
  State state = State::good;
  bool same_as_base = false;  // the base's entry has this very content
  std::uint32_t extents = 0;  // how many
  std::size_t first_extent = 0;
};

// What was found out about each job, packed.
struct Contents {
  std::vector<Content> files;   // in the order of the jobs
  std::vector<Extent> extents;  // blocks of the base by their index; new ones from Manifest::blocks.size() on

  std::span<const Extent> extents_of(const Content& file) const {
    return std::span(extents).subspan(file.first_extent, file.extents);
  }
};

struct ContentRequest {
  Directories::Handle root;
  Listing& found;  // the status of a file that changed in between is renewed
  const Manifest& base;
  const std::vector<bool>& takeable;  // by pack of the base: content may be taken over from it
  const ChunkIndex& known;
  PackWriter& packs;
  int compression_level = kDefaultCompressionLevel;
  unsigned threads = 0;
  util::Progress* progress = nullptr;  // of the jobs' contents; may be null
};

class ContentWriter {
 public:
  ContentWriter(const ContentRequest& request, Warnings& warnings);

  // Once. The result is in the order of the jobs, which are in the order of the paths. Files that vanish or cannot be
  // read, and those that change each time they are read, are left out (the latter two with a warning). All blocks were
  // handed to the pack writer. Errors: the store's, cancelled, and no descriptor or memory left (unavailable).
  Result<Contents> run(std::span<const ContentJob> jobs, const std::stop_token& stop);

  std::uint64_t read_bytes() const { return read_bytes_; }

 private:
  struct FullBlock;
  struct Reader;
  // What has become of batches that were taken in.
  struct TakenIn {
    std::vector<FullBlock> full;  // blocks to be written
    std::uint64_t bytes = 0;      // of content
  };

  Result<void> pass(std::span<const std::uint32_t> jobs, const std::stop_token& stop);
  unsigned threads_for(std::span<const std::uint32_t> jobs) const;
  Batches::JobSize size_of(std::uint32_t job) const;
  Result<void> work(const std::stop_token& stop);
  ReadPart begin(const Part& part) const;
  static Result<void> accept(ReadPart& part, Result<FilePart> content);
  void begin_progress() const;
  static std::uint64_t content_bytes(std::span<const ReadPart> parts);
  static void hash(std::span<ReadPart> parts);
  Result<void> read(Reader& reader, Batch& batch, const std::stop_token& stop);
  Result<ReadPart> read(Reader& reader, const Part& part, std::span<std::byte> room);
  Result<ReadPart> read_from_base(Reader& reader, const Part& part, std::span<std::byte> room);
  void cut(Batch& batch);
  TakenIn take_in_turn(Batch batch);
  void take_in(ReadPart part, std::vector<FullBlock>& full);
  Extent store_chunk(const util::Digest& digest, std::span<const std::byte> bytes, std::vector<FullBlock>& full);
  bool takeable(std::uint32_t block) const;
  Result<std::vector<std::uint32_t>> settle(std::span<const std::uint32_t> jobs);
  void append(Content& content, const Extent& extent, const Extent& in_base);
  void make_room(std::size_t bytes);
  FullBlock cut_block();
  void keep_room(std::vector<std::byte> room);
  Result<void> write(FullBlock block, std::vector<std::byte>& room, const std::stop_token& stop);

  const ContentRequest& request_;
  Warnings& warnings_;
  std::span<const ContentJob> jobs_;
  Contents contents_;

  Batches batches_;
  SegmentCutter cutter_;  // of the thread whose segment is being cut

  std::mutex mutex_;
  std::map<std::uint64_t, Batch> waiting_;  // for those before them to be taken in
  std::uint64_t taken_in_ = 0;
  std::uint32_t next_block_ = 0;
  std::vector<std::byte> raw_;  // of the block that is being gathered
  std::vector<Chunk> chunks_;
  std::vector<std::vector<std::byte>> rooms_;  // memory of blocks that are written
  // Of the job that is being taken in: where the base has the same bytes; kNotInBase where it has not.
  std::vector<Extent> in_base_;
  struct Place {
    std::uint32_t block = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  std::unordered_map<util::Digest, Place> new_chunks_;
  std::uint64_t read_bytes_ = 0;
};

}  // namespace hearth::cache
