#include "cache/save/content_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string>
#include <utility>

#include "cache/format/chunker.h"
#include "cache/format/content_digest.h"
#include "cache/tree/local_error.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

constexpr int kPasses = 3;
// Equal to no extent of a manifest.
constexpr Extent kNotInBase{kNone - 1, 0, 0};

Result<struct stat> look_again(Directories& directories, const Path& path) {
  const Directories::Place place = TRY(directories.place_of(path));
  struct stat status{};
  if (::fstatat(place.directory->get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_local(errno, path.text());
  }
  return status;
}

std::unexpected<Error> stopped() {
  return fail(ErrorKind::cancelled, "the save was stopped");
}

}  // namespace

struct ContentWriter::FullBlock {
  std::uint32_t id = 0;
  std::vector<std::byte> raw;
  std::vector<Chunk> chunks;
};

// What a thread keeps between batches.
struct ContentWriter::Reader {
  explicit Reader(Directories::Handle root) : files(std::move(root)) {}

  FileReader files;
  std::uint32_t block = kNone;  // of the base, unpacked in `raw`
  std::vector<std::byte> raw;
  std::vector<std::byte> packed;  // a new block
};

ContentWriter::ContentWriter(const ContentRequest& request, Warnings& warnings)
    : request_(request),
      warnings_(warnings),
      batches_(thread_count(request.threads), [this](std::uint32_t job) { return size_of(job); }),
      next_block_(static_cast<std::uint32_t>(request.base.blocks.size())) {}

Result<Contents> ContentWriter::run(std::span<const ContentJob> jobs, const std::stop_token& stop) {
  jobs_ = jobs;
  contents_.files.assign(jobs.size(), {});
  contents_.extents.reserve(jobs.size());
  begin_progress();
  std::vector<std::uint32_t> todo(jobs.size());
  std::iota(todo.begin(), todo.end(), 0);
  for (int left = kPasses; left > 0 && !todo.empty(); --left) {
    TRY(pass(todo, stop));
    todo = TRY(settle(todo));
  }
  for (const std::uint32_t job : todo) {
    contents_.files[job].state = Content::State::left_out;
    warnings_.add(
        fmt::format("left out of the cache: {} (it changes all the time)", request_.found[jobs_[job].found].path));
  }
  std::vector<std::byte> packed;
  if (!raw_.empty()) TRY(write(cut_block(), packed, stop));
  return std::move(contents_);
}

Result<void> ContentWriter::pass(std::span<const std::uint32_t> jobs, const std::stop_token& stop) {
  batches_.begin(jobs);
  return in_parallel(threads_for(jobs), stop, [this](const std::stop_token& token) { return work(token); });
}

// No more than there is work for.
unsigned ContentWriter::threads_for(std::span<const std::uint32_t> jobs) const {
  std::uint64_t bytes = 0;
  for (const std::uint32_t job : jobs) bytes += request_.found.status(jobs_[job].found).size;
  const std::uint64_t batches = std::max<std::uint64_t>(bytes / kBatchBytes, jobs.size() / kBatchFiles) + 1;
  return static_cast<unsigned>(std::min<std::uint64_t>(thread_count(request_.threads), batches));
}

Batches::JobSize ContentWriter::size_of(std::uint32_t job) const {
  const std::uint64_t bytes = request_.found.status(jobs_[job].found).size;
  return {.bytes = bytes, .is_large = jobs_[job].from == ContentJob::From::disk && bytes > kWholeFile};
}

Result<void> ContentWriter::work(const std::stop_token& stop) {
  Reader reader(request_.root);
  while (std::optional<Batch> batch = batches_.next(stop)) {
    if (batch->read.empty()) TRY(read(reader, *batch, stop));
    if (batch->segment) {
      if (!batches_.begin_cut(*batch)) continue;
      cut(*batch);
      batches_.end_cut();
    }
    hash(batch->read);
    TakenIn taken = take_in_turn(std::move(*batch));
    for (FullBlock& block : taken.full) TRY(write(std::move(block), reader.packed, stop));
    // Not before: compressing and storing takes longer than reading.
    if (request_.progress != nullptr) request_.progress->add(taken.bytes);
  }
  if (stop.stop_requested()) return stopped();
  return {};
}

void ContentWriter::begin_progress() const {
  if (request_.progress == nullptr) return;
  std::uint64_t total = 0;
  for (const ContentJob& job : jobs_) total += request_.found.status(job.found).size;
  request_.progress->begin(total);
}

std::uint64_t ContentWriter::content_bytes(std::span<const ReadPart> parts) {
  std::uint64_t bytes = 0;
  for (const ReadPart& part : parts) {
    for (const Stretch& stretch : part.content.stretches) bytes += stretch.length;
  }
  return bytes;
}

// What was read, or why it is left out. Errors: those that are not the file's own.
Result<void> ContentWriter::accept(ReadPart& part, Result<FilePart> content) {
  if (content) {
    part.content = std::move(*content);
    return {};
  }
  if (!is_of_the_file(content.error().kind)) return std::unexpected(std::move(content).error());
  part.warning = fmt::format("left out of the cache: {}", content.error().message);
  return {};
}

void ContentWriter::hash(std::span<ReadPart> parts) {
  std::vector<std::span<const std::byte>> contents;
  for (const ReadPart& part : parts) {
    if (part.content.outcome != ReadOutcome::good) continue;
    std::span<const std::byte> rest(part.content.bytes);
    for (const Stretch& stretch : part.content.stretches) {
      if (stretch.kind != Stretch::Kind::data) continue;
      contents.push_back(rest.first(stretch.length));
      rest = rest.subspan(stretch.length);
    }
  }
  const std::vector<util::Digest> digests = content_digests(contents);
  auto next = digests.begin();
  for (ReadPart& part : parts) {
    if (part.content.outcome != ReadOutcome::good) continue;
    const auto count = std::ranges::count(part.content.stretches, Stretch::Kind::data, &Stretch::kind);
    part.digests.assign(next, next + count);
    next += count;
  }
}

ReadPart ContentWriter::begin(const Part& part) const {
  const std::uint64_t size = request_.found.status(jobs_[part.job].found).size;
  ReadPart result;
  result.job = part.job;
  result.is_first = part.offset == 0;
  result.is_last = part.offset + part.length == size;
  return result;
}

Result<void> ContentWriter::read(Reader& reader, Batch& batch, const std::stop_token& stop) {
  // What is left of the segment before comes in front.
  std::span<std::byte> room = batch.segment ? batch.room().subspan(kMostChunk) : batch.room();
  batch.read.reserve(batch.parts.size());
  for (const Part& part : batch.parts) {
    if (stop.stop_requested()) return stopped();
    batch.read.push_back(TRY(read(reader, part, room.first(part.length))));
    room = room.subspan(part.length);
  }
  return {};
}

Result<ReadPart> ContentWriter::read(Reader& reader, const Part& part, std::span<std::byte> room) {
  const ContentJob& job = jobs_[part.job];
  if (job.from == ContentJob::From::base) return read_from_base(reader, part, room);
  const FoundEntry found = request_.found[job.found];
  ReadPart result = begin(part);
  TRY(accept(result, reader.files.read(found.path, found.status, part.offset, room)));
  return result;
}

// REQUIRES: it is the segment's turn.
void ContentWriter::cut(Batch& batch) {
  ReadPart& part = batch.read.front();
  if (part.is_first) cutter_ = {};
  if (part.warning.empty() && part.content.outcome == ReadOutcome::good) {
    part.content = cutter_.cut(std::move(part.content), batch.room(), part.is_last);
  } else {
    batches_.drop_rest(part.job);
  }
}

Result<ReadPart> ContentWriter::read_from_base(Reader& reader, const Part& part, std::span<std::byte> room) {
  ReadPart result = begin(part);
  std::span<std::byte> free = room;
  std::uint64_t at = 0;
  const std::uint64_t end = part.offset + part.length;
  for (const Extent& extent : content_of(request_.base, jobs_[part.job].base)) {
    const std::uint64_t begin = std::max(at, part.offset);
    const std::uint64_t stop = std::min(at + extent.length, end);
    const std::uint64_t skipped = begin - std::min(begin, at);
    at += extent.length;
    if (stop <= begin) continue;
    if (extent.block == kHole) {
      result.content.stretches.push_back({Stretch::Kind::hole, stop - begin});
      continue;
    }
    if (reader.block != extent.block) {
      const Block& block = request_.base.blocks[extent.block];
      reader.raw =
          TRY(decode_block(block, std::span(request_.base.inline_bytes).subspan(block.offset, block.stored_bytes)));
      reader.block = extent.block;
    }
    const auto bytes = std::span(reader.raw).subspan(extent.offset + skipped, stop - begin);
    result.content.stretches.push_back({Stretch::Kind::data, bytes.size()});
    std::ranges::copy(bytes, free.begin());
    free = free.subspan(bytes.size());
  }
  result.content.bytes = room.first(room.size() - free.size());
  return result;
}

// In the order of the paths, so that neighbours share a block: whoever comes too early leaves it to the one who has
// what comes before.
ContentWriter::TakenIn ContentWriter::take_in_turn(Batch batch) {
  TakenIn taken;
  const std::lock_guard guard(mutex_);
  const std::uint64_t number = batch.number;
  waiting_.emplace(number, std::move(batch));
  while (auto next = waiting_.extract(taken_in_)) {
    Batch& now = next.mapped();
    taken.bytes += content_bytes(now.read);
    for (ReadPart& part : now.read) take_in(std::move(part), taken.full);
    batches_.give_back(std::move(now.memory));
    ++taken_in_;
  }
  return taken;
}

void ContentWriter::take_in(ReadPart part, std::vector<FullBlock>& full) {
  Content& content = contents_.files[part.job];
  const ContentJob& job = jobs_[part.job];
  if (part.is_first) {
    content = {};
    content.first_extent = contents_.extents.size();
    in_base_.clear();
  }
  if (job.from == ContentJob::From::disk) read_bytes_ += part.content.bytes.size();
  if (!part.warning.empty()) {
    if (content.state != Content::State::left_out) warnings_.add(std::move(part.warning));
    content.state = Content::State::left_out;
  }
  if (part.content.outcome == ReadOutcome::vanished) content.state = Content::State::left_out;
  if (part.content.outcome == ReadOutcome::changed && content.state == Content::State::good) {
    content.state = Content::State::changed;
  }
  if (content.state != Content::State::good) return;

  const std::span<const Extent> before =
      job.base == kNone ? std::span<const Extent>() : content_of(request_.base, job.base);
  std::span<const std::byte> rest(part.content.bytes);
  auto digest = part.digests.begin();
  for (const Stretch& stretch : part.content.stretches) {
    if (stretch.kind == Stretch::Kind::hole) {
      if (content.extents > 0 && contents_.extents.back().block == kHole) {
        contents_.extents.back().length += stretch.length;
        in_base_.back().length += stretch.length;
      } else {
        append(content, {kHole, 0, stretch.length}, {kHole, 0, stretch.length});
      }
      continue;
    }
    std::optional<Extent> preferred;
    if (in_base_.size() < before.size()) preferred = before[in_base_.size()];
    const std::optional<Extent> known = request_.known.find(*digest, stretch.length, preferred);
    const bool take_over = known && takeable(known->block);
    append(content, take_over ? *known : store_chunk(*digest, rest.first(stretch.length), full),
           known.value_or(kNotInBase));
    rest = rest.subspan(stretch.length);
    ++digest;
  }
  if (part.is_last) content.same_as_base = job.base != kNone && std::ranges::equal(in_base_, before);
}

void ContentWriter::append(Content& content, const Extent& extent, const Extent& in_base) {
  contents_.extents.push_back(extent);
  in_base_.push_back(in_base);
  ++content.extents;
}

bool ContentWriter::takeable(std::uint32_t block) const {
  const std::uint32_t pack = request_.base.blocks[block].pack;
  return pack != kInline && request_.takeable[pack];
}

Extent ContentWriter::store_chunk(const util::Digest& digest, std::span<const std::byte> bytes,
                                  std::vector<FullBlock>& full) {
  if (const auto found = new_chunks_.find(digest); found != new_chunks_.end() && found->second.length == bytes.size()) {
    return {found->second.block, found->second.offset, bytes.size()};
  }
  if (!raw_.empty() && raw_.size() + bytes.size() > kBlockTarget) full.push_back(cut_block());
  if (raw_.empty()) make_room(bytes.size());
  const Extent extent{next_block_, static_cast<std::uint32_t>(raw_.size()), bytes.size()};
  chunks_.push_back({digest, extent.offset, static_cast<std::uint32_t>(bytes.size())});
  raw_.insert(raw_.end(), bytes.begin(), bytes.end());
  new_chunks_.emplace(digest, Place{extent.block, extent.offset, static_cast<std::uint32_t>(bytes.size())});
  return extent;
}

// For a block that begins with so many bytes.
void ContentWriter::make_room(std::size_t bytes) {
  if (!rooms_.empty()) {
    raw_ = std::move(rooms_.back());
    raw_.clear();
    rooms_.pop_back();
  }
  raw_.reserve(std::max<std::size_t>(kBlockTarget, bytes));
}

ContentWriter::FullBlock ContentWriter::cut_block() {
  return {next_block_++, std::exchange(raw_, {}), std::exchange(chunks_, {})};
}

Result<void> ContentWriter::write(FullBlock block, std::vector<std::byte>& room, const std::stop_token& stop) {
  const EncodedView encoded = TRY(encode_block(block.raw, request_.compression_level, room));
  // What was compressed lies elsewhere, and a pack may travel for long.
  const bool is_free = encoded.stored.data() != block.raw.data();
  if (is_free) keep_room(std::move(block.raw));
  TRY(request_.packs.add(block.id, encoded, std::move(block.chunks), stop));
  if (!is_free) keep_room(std::move(block.raw));
  return {};
}

void ContentWriter::keep_room(std::vector<std::byte> room) {
  const std::lock_guard guard(mutex_);
  rooms_.push_back(std::move(room));
}

// The jobs that have to be done again.
Result<std::vector<std::uint32_t>> ContentWriter::settle(std::span<const std::uint32_t> jobs) {
  std::vector<std::uint32_t> again;
  Directories directories(request_.root);
  for (const std::uint32_t job : jobs) {
    Content& content = contents_.files[job];
    if (content.state != Content::State::changed) continue;
    content = {};
    const Path path = request_.found[jobs_[job].found].path;
    const Result<struct stat> status = look_again(directories, path);
    if (!status && !is_of_the_file(status.error().kind)) return std::unexpected(status.error());
    if (!status || !S_ISREG(status->st_mode)) {
      content.state = Content::State::left_out;
      continue;
    }
    request_.found.renew(jobs_[job].found, file_status(*status));
    if (status->st_size > 0) again.push_back(job);
  }
  return again;
}

}  // namespace hearth::cache
