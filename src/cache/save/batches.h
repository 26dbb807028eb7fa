// Shares the reading of files out to threads, in batches; none of them waits for another as long as there is anything
// left to do.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/tree/file_reader.h"
#include "cache/tree/segments.h"
#include "util/hash.h"

namespace hearth::cache {

// No more than this is read for a batch.
inline constexpr std::uint64_t kBatchBytes = 2 << 20;
// Batches of tiny files end here.
inline constexpr std::size_t kBatchFiles = 512;

// A piece of a file's content.
struct Part {
  std::uint32_t job = 0;
  std::uint64_t offset = 0;  // bytes, as the length
  std::uint64_t length = 0;
};

struct ReadPart {
  std::uint32_t job = 0;
  bool is_first = true;  // of its file
  bool is_last = true;
  FilePart content;                   // the bytes lie in the batch's room
  std::vector<util::Digest> digests;  // of the data stretches
  std::string warning;                // why it could not be read
};

// Numbered in the order of the paths.
struct Batch {
  std::uint64_t number = 0;
  std::vector<Part> parts;
  // The number of a segment of a large file: the batch has one part, which is to be cut into chunks after the segment
  // before it.
  std::optional<std::uint64_t> segment;
  std::vector<ReadPart> read;  // empty until it is read

  static constexpr std::size_t kRoom = std::max<std::size_t>(kBatchBytes, kSegmentRoom);
  std::span<std::byte> room() const { return {memory.get(), kRoom}; }
  std::unique_ptr<std::byte[]> memory;
};

// Thread-safe.
class Batches {
 public:
  // As much memory is used as `rooms` batches need. How long a job's content is, and whether it is read in segments,
  // is asked for while it waits to be handed out.
  struct JobSize {
    std::uint64_t bytes = 0;
    bool is_large = false;
  };
  Batches(unsigned rooms, std::function<JobSize(std::uint32_t job)> size_of);

  // What is to be read now; when all before is done. The jobs outlive their batches.
  void begin(std::span<const std::uint32_t> jobs);

  // A batch that is to be read, or a segment that was left by begin_cut() and whose turn has come. Waits until there is
  // one; absent when there will be none any more, and on a stop. Whoever has it gives its room back in the end.
  std::optional<Batch> next(const std::stop_token& stop);
  // Of the file that is being handed out nothing more is wanted, if it is this one.
  void drop_rest(std::uint32_t job);

  // Whether a segment that was read can be cut now; if not, it is taken until it can.
  bool begin_cut(Batch& batch);
  void end_cut();

  void give_back(std::unique_ptr<std::byte[]> memory);

 private:
  Batch next_batch();
  Part next_part(std::uint64_t most);

  const unsigned rooms_;
  const std::function<JobSize(std::uint32_t)> size_of_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::span<const std::uint32_t> queue_;  // jobs that are still to be handed out
  std::uint64_t offset_ = 0;              // in the first one's content
  std::uint64_t handed_out_ = 0;          // batches
  std::uint64_t segments_ = 0;            // those of them that are a segment
  std::uint64_t segments_cut_ = 0;
  std::map<std::uint64_t, Batch> uncut_;  // read, by their segments' numbers
  unsigned made_ = 0;                     // rooms
  std::vector<std::unique_ptr<std::byte[]>> free_;
};

}  // namespace hearth::cache
