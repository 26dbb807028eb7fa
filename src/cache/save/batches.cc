#include "cache/save/batches.h"

#include <algorithm>
#include <utility>

namespace hearth::cache {

Batches::Batches(unsigned rooms, std::function<JobSize(std::uint32_t job)> size_of)
    : rooms_(rooms), size_of_(std::move(size_of)) {}

void Batches::begin(std::span<const std::uint32_t> jobs) {
  const std::lock_guard guard(mutex_);
  queue_ = jobs;
  offset_ = 0;
}

std::optional<Batch> Batches::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return !free_.empty() || made_ < rooms_; };
  const auto is_over = [this] { return queue_.empty() && uncut_.empty(); };
  changed_.wait(lock, stop,
                [&] { return is_over() || uncut_.contains(segments_cut_) || (!queue_.empty() && has_room()); });
  if (stop.stop_requested() || is_over()) return std::nullopt;
  if (auto uncut = uncut_.extract(segments_cut_)) {
    if (is_over()) changed_.notify_all();
    return std::move(uncut.mapped());
  }
  Batch batch = next_batch();
  if (free_.empty()) {
    batch.memory = std::make_unique_for_overwrite<std::byte[]>(Batch::kRoom);
    ++made_;
  } else {
    batch.memory = std::move(free_.back());
    free_.pop_back();
  }
  if (is_over()) changed_.notify_all();
  return batch;
}

// REQUIRES: mutex_ is held, and something is queued.
Batch Batches::next_batch() {
  Batch batch;
  batch.number = handed_out_++;
  JobSize job = size_of_(queue_.front());
  if (job.is_large) {
    batch.segment = segments_++;
    batch.parts.push_back(next_part(kSegmentBytes));
    return batch;
  }
  std::uint64_t bytes = 0;
  while (!job.is_large && batch.parts.size() < kBatchFiles) {
    const std::uint64_t left = job.bytes - offset_;
    if (!batch.parts.empty() && bytes + std::min(left, kBatchBytes) > kBatchBytes) break;
    batch.parts.push_back(next_part(kBatchBytes));
    bytes += batch.parts.back().length;
    if (queue_.empty()) break;
    job = size_of_(queue_.front());
  }
  return batch;
}

// REQUIRES: as next_batch().
Part Batches::next_part(std::uint64_t most) {
  const std::uint32_t job = queue_.front();
  const std::uint64_t size = size_of_(job).bytes;
  const Part part{job, offset_, std::min(size - offset_, most)};
  offset_ += part.length;
  if (offset_ == size) {
    queue_ = queue_.subspan(1);
    offset_ = 0;
  }
  return part;
}

void Batches::drop_rest(std::uint32_t job) {
  const std::lock_guard guard(mutex_);
  if (queue_.empty() || queue_.front() != job) return;
  queue_ = queue_.subspan(1);
  offset_ = 0;
  changed_.notify_all();
}

bool Batches::begin_cut(Batch& batch) {
  const std::lock_guard guard(mutex_);
  const std::uint64_t segment = *batch.segment;
  if (segment == segments_cut_) return true;
  uncut_.emplace(segment, std::move(batch));
  return false;
}

void Batches::end_cut() {
  const std::lock_guard guard(mutex_);
  if (uncut_.contains(++segments_cut_)) changed_.notify_one();
}

void Batches::give_back(std::unique_ptr<std::byte[]> memory) {
  const std::lock_guard guard(mutex_);
  free_.push_back(std::move(memory));
  changed_.notify_one();
}

}  // namespace hearth::cache
