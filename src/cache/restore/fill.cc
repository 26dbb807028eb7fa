#include "cache/restore/fill.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>

#include "cache/packs/fetch_plan.h"
#include "cache/packs/pack_part.h"
#include "cache/restore/shares.h"
#include "cache/tree/create.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

constexpr std::uint64_t kRangeTarget = 8 << 20;
constexpr std::uint64_t kLeastRange = 1 << 20;
// From this much on, packs are fetched whole.
constexpr std::uint64_t kManyBytes = 128 << 20;
// Entries without content are made in portions of this many.
constexpr std::size_t kPortion = 1024;

// Ranges small enough that every thread gets some, and large enough that requests stay few: at most three for a pack,
// since two that follow each other are longer than half of it.
std::uint64_t range_target(const Manifest& manifest, unsigned threads) {
  std::uint64_t total = 0;
  std::uint64_t largest_pack = 0;
  for (const Block& block : manifest.blocks) total += block.stored_bytes;
  for (const PackName& pack : manifest.packs) largest_pack = std::max(largest_pack, pack.bytes);
  if (total >= kManyBytes) return std::clamp(largest_pack, kRangeTarget, 2 * kRangeTarget);
  return std::clamp(total / (std::uint64_t{2} * threads), std::clamp(largest_pack / 2, kLeastRange, kRangeTarget),
                    kRangeTarget);
}

Attributes attributes_of(const Entry& entry) {
  return {.mode = entry.mode, .mtime = entry.mtime};
}

class Filler {
 public:
  Filler(const FillRequest& request, Directories::Handle root, unsigned threads)
      : request_(request),
        manifest_(request.manifest),
        root_(std::move(root)),
        threads_(threads),
        plan_(manifest_, range_target(manifest_, threads),
              [this](std::uint32_t index) { return action(index) == Action::make; }),
        files_(request.update == nullptr ? std::vector<FileStatus>(manifest_.entries.size()) : request.update->files) {}

  Result<void> run(const std::stop_token& stop) {
    begin_progress();
    TRY(make_directories(stop));
    TRY(begin_files(stop));
    const auto threads = static_cast<unsigned>(std::min<std::size_t>(threads_, tasks()));
    TRY(in_parallel(threads, stop, [this](const std::stop_token& token) { return work(token); }));
    TRY(make_hard_links(stop));
    return finish_directories(stop);
  }

  Filled result() && { return {std::move(files_), bytes_, fetched_bytes_}; }

  FillFailure failure(Error error) && {
    // Only errors that speak of an object count as its damage.
    const bool of_object = error.kind == ErrorKind::not_found || error.kind == ErrorKind::corrupt;
    return {std::move(error), of_object ? std::move(damaged_) : std::nullopt, fetched_bytes_};
  }

 private:
  // What a thread works with.
  struct Worker {
    Creator creator;
    std::vector<std::byte> room;  // for one block after another
  };
  struct Fetched {
    explicit Fetched(const FetchRange& fetched_range) : range(fetched_range) {}

    const FetchRange& range;
    std::vector<std::byte> memory;
    std::span<const std::byte> bytes;
    std::atomic<std::size_t> next = 0;  // of the range's blocks: which nobody has begun with
  };

  Creator new_creator() const { return {Directories(root_), request_.owner}; }

  Action action(std::size_t index) const {
    return request_.update == nullptr ? Action::make : request_.update->actions[index];
  }

  void begin_progress() const {
    if (request_.progress == nullptr) return;
    std::uint64_t total = 0;
    for (const FetchRange& range : plan_.ranges()) {
      for (const std::uint32_t block : range.blocks) total += manifest_.blocks[block].stored_bytes;
    }
    request_.progress->begin(total);
  }

  Result<void> for_each(std::span<const std::uint32_t> indices, const std::stop_token& stop,
                        const std::function<Result<void>(Creator&, const Entry&)>& work) {
    return in_shares(
        indices, threads_, stop, [this] { return new_creator(); },
        [&](Creator& creator, std::uint32_t index) { return work(creator, manifest_.entries[index]); });
  }

  // Level by level, since each needs the one above.
  Result<void> make_directories(const std::stop_token& stop) {
    std::vector<std::vector<std::uint32_t>> levels;
    for (std::uint32_t index = 0; index < manifest_.entries.size(); ++index) {
      const Entry entry = manifest_.entries[index];
      if (entry.kind != EntryKind::directory || action(index) != Action::make) continue;
      const std::string_view above = entry.path.directory();
      const auto level = above.empty() ? 0 : static_cast<std::size_t>(std::ranges::count(above, '/')) + 1;
      if (levels.size() <= level) levels.resize(level + 1);
      levels[level].push_back(index);
    }
    for (const std::vector<std::uint32_t>& level : levels) {
      TRY(for_each(level, stop,
                   [](Creator& creator, const Entry& entry) { return creator.make_directory(entry.path); }));
    }
    return {};
  }

  // Those that several threads will write to.
  Result<void> begin_files(const std::stop_token& stop) {
    Creator creator = new_creator();
    for (std::uint32_t index = 0; index < manifest_.entries.size(); ++index) {
      if (index % kPortion == 0) TRY(check_stop(stop));
      const Entry entry = manifest_.entries[index];
      bytes_ += entry.size;
      if (action(index) != Action::make || entry.kind != EntryKind::file || entry.extents.size() < 2) continue;
      if (const std::uint32_t blocks = plan_.blocks_of(entry); blocks > 1) {
        unfinished_.emplace(index, blocks);
        TRY(creator.begin_file(entry.path, entry.size));
      }
    }
    return {};
  }

  Result<void> make_hard_links(const std::stop_token& stop) {
    Creator creator = new_creator();
    for (std::uint32_t index = 0; index < manifest_.entries.size(); ++index) {
      if (index % kPortion == 0) TRY(check_stop(stop));
      const Entry entry = manifest_.entries[index];
      if (entry.kind != EntryKind::hard_link || action(index) != Action::make) continue;
      TRY(creator.make_hard_link(entry.path, entry.target));
    }
    // A new name changes the ctime of all names.
    for (std::uint32_t index = 0; index < manifest_.entries.size(); ++index) {
      if (index % kPortion == 0) TRY(check_stop(stop));
      const Entry entry = manifest_.entries[index];
      if (entry.kind != EntryKind::hard_link) continue;
      files_[index] = TRY(creator.status(entry.path));
      if (const auto first = manifest_.entries.find(entry.target)) files_[*first] = files_[index];
    }
    return check_stop(stop);
  }

  // Into which nothing is made any more. Those that will be closed to their owner come last, and the deepest first.
  Result<void> finish_directories(const std::stop_token& stop) {
    const auto finish = [](Creator& creator, const Entry& entry) {
      return creator.finish_directory(entry.path, attributes_of(entry));
    };
    std::vector<std::uint32_t> open;
    std::vector<std::uint32_t> closed;
    for (std::uint32_t index = 0; index < manifest_.entries.size(); ++index) {
      const Entry entry = manifest_.entries[index];
      if (entry.kind != EntryKind::directory || action(index) == Action::keep) continue;
      ((entry.mode & S_IRWXU) == S_IRWXU ? open : closed).push_back(index);
    }
    TRY(for_each(open, stop, finish));
    Creator creator = new_creator();
    while (!closed.empty()) {
      if (closed.size() % kPortion == 0) TRY(check_stop(stop));
      TRY(finish(creator, manifest_.entries[closed.back()]));
      closed.pop_back();
    }
    return creator.finish_directory("", {.mode = manifest_.root_mode, .mtime = manifest_.root_mtime});
  }

  // Ranges first, since they take longest, then what has no content.
  std::size_t tasks() const { return plan_.ranges().size() + (manifest_.entries.size() + kPortion - 1) / kPortion; }

  // One thread's part: whole ranges, and in the end what is left of those of others.
  Result<void> work(const std::stop_token& stop) {
    Worker worker{new_creator(), {}};
    const std::size_t ranges = plan_.ranges().size();
    while (true) {
      TRY(check_stop(stop));
      const std::size_t next = next_task_++;
      if (next >= tasks()) break;
      if (next < ranges) {
        TRY(write_range(worker, plan_.ranges()[next], stop));
      } else {
        TRY(make_without_blocks(worker.creator, (next - ranges) * kPortion));
      }
    }
    while (const std::shared_ptr<Fetched> fetched = next_to_help(stop)) TRY(write_blocks(worker, *fetched, stop));
    return check_stop(stop);
  }

  // Links, files without any block, and those that are there already.
  Result<void> make_without_blocks(Creator& creator, std::size_t begin) {
    const std::size_t end = std::min(begin + kPortion, manifest_.entries.size());
    for (std::size_t index = begin; index < end; ++index) {
      const Entry entry = manifest_.entries[index];
      if (action(index) == Action::keep) continue;
      if (action(index) == Action::finish) {
        if (entry.kind == EntryKind::file) files_[index] = TRY(creator.finish_file(entry.path, attributes_of(entry)));
      } else if (entry.kind == EntryKind::symlink) {
        TRY(creator.make_symlink(entry.path, std::string(entry.target), entry.mtime));
      } else if (entry.kind == EntryKind::file &&
                 std::ranges::all_of(entry.extents, [](const Extent& extent) { return extent.block == kHole; })) {
        files_[index] = TRY(creator.make_file(entry.path, attributes_of(entry), entry.size, {}));
      }
    }
    return {};
  }

  Result<void> write_range(Worker& worker, const FetchRange& range, const std::stop_token& stop) {
    const auto fetched = std::make_shared<Fetched>(range);
    {
      const std::lock_guard guard(mutex_);
      ++fetching_;
    }
    Result<void> there = fetch_range(*fetched, stop);
    {
      const std::lock_guard guard(mutex_);
      --fetching_;
      if (there) open_.push_back(fetched);
      fetched_one_.notify_all();
    }
    if (!there) return there;
    TRY(write_blocks(worker, *fetched, stop));
    const std::lock_guard guard(mutex_);
    std::erase(open_, fetched);
    return {};
  }

  // A range that has blocks which nobody has begun with, once there are no more ranges to fetch; none when all are
  // taken.
  std::shared_ptr<Fetched> next_to_help(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto drop_taken = [this] {
      std::erase_if(open_, [](const auto& fetched) { return fetched->next >= fetched->range.blocks.size(); });
    };
    fetched_one_.wait(lock, stop, [&] { return drop_taken(), !open_.empty() || fetching_ == 0; });
    return open_.empty() || stop.stop_requested() ? nullptr : open_.front();
  }

  Result<void> fetch_range(Fetched& fetched, const std::stop_token& stop) {
    const FetchRange& range = fetched.range;
    if (range.pack == kInline) {
      fetched.bytes = std::span(manifest_.inline_bytes).subspan(range.offset, range.length);
    } else {
      fetched.memory = TRY(fetch(range.pack, range.offset, range.length, stop));
      fetched.bytes = fetched.memory;
    }
    return {};
  }

  // Those that no other thread has begun with.
  Result<void> write_blocks(Worker& worker, Fetched& fetched, const std::stop_token& stop) {
    const FetchRange& range = fetched.range;
    while (true) {
      TRY(check_stop(stop));
      const std::size_t next = fetched.next++;
      if (next >= range.blocks.size()) return {};
      const std::uint32_t index = range.blocks[next];
      const Block& block = manifest_.blocks[index];
      // A short answer is an object that is not what it should be; what is there may still be good.
      const std::uint64_t begin = std::min<std::uint64_t>(block.offset - range.offset, fetched.bytes.size());
      const std::span<const std::byte> stored =
          fetched.bytes.subspan(begin, std::min<std::uint64_t>(block.stored_bytes, fetched.bytes.size() - begin));
      std::vector<std::byte> again;
      Result<std::span<const std::byte>> raw = view_block(block, stored, worker.room);
      if (!raw && range.pack != kInline) {
        again = TRY(fetch(range.pack, block.offset, block.stored_bytes, stop));
        raw = view_block(block, again, worker.room);
      }
      if (!raw) return damage(range.pack, std::move(raw).error());
      TRY(write_block(worker.creator, index, *raw));
      if (request_.progress != nullptr) request_.progress->add(block.stored_bytes);
    }
  }

  ObjectName object_of(std::uint32_t pack) const {
    if (pack == kInline) return request_.manifest_name;
    const PackName& name = manifest_.packs[pack];
    return {request_.manifest_name.epoch, ObjectKind::pack, name.save, name.number};
  }

  // What lies in that part of the pack now: fewer bytes where the pack is shorter.
  Result<std::vector<std::byte>> fetch(std::uint32_t pack, std::uint64_t offset, std::uint64_t length,
                                       const std::stop_token& stop) {
    const ObjectName name = object_of(pack);
    Result<store::Object> object = within(name.text(), fetch_part(request_.store, request_.layout.key(name),
                                                                  manifest_.packs[pack].bytes, {offset, length}, stop));
    if (object) {
      fetched_bytes_ += object->bytes.size();
      return std::move(object->bytes);
    }
    const ErrorKind kind = object.error().kind;
    if (kind == ErrorKind::not_found) return damage(pack, std::move(object).error());
    if (kind == ErrorKind::corrupt) return std::vector<std::byte>();
    return std::unexpected(std::move(object).error());
  }

  std::unexpected<Error> damage(std::uint32_t pack, Error error) {
    const std::lock_guard guard(mutex_);
    const ObjectName object = object_of(pack);
    if (error.kind == ErrorKind::corrupt) error.message = fmt::format("{}: {}", object.text(), error.message);
    if (!damaged_) damaged_ = object;
    return std::unexpected(std::move(error));
  }

  Result<void> write_block(Creator& creator, std::uint32_t block, std::span<const std::byte> raw) {
    std::span<const Use> uses = plan_.uses(block);
    std::vector<Piece> pieces;
    while (!uses.empty()) {
      const std::uint32_t index = uses.front().entry;
      pieces.clear();
      for (; !uses.empty() && uses.front().entry == index; uses = uses.subspan(1)) {
        pieces.push_back({uses.front().offset_in_file, raw.subspan(uses.front().offset_in_block, uses.front().length)});
      }
      TRY(write_file(creator, index, pieces));
    }
    return {};
  }

  Result<void> write_file(Creator& creator, std::uint32_t index, std::span<const Piece> pieces) {
    const Entry entry = manifest_.entries[index];
    // begin_files has filled the map; from then on only the counts change.
    const auto unfinished = unfinished_.find(index);
    if (unfinished == unfinished_.end()) {
      files_[index] = TRY(creator.make_file(entry.path, attributes_of(entry), entry.size, pieces));
      return {};
    }
    for (const Piece& piece : pieces) TRY(creator.write_piece(entry.path, piece));
    if (--unfinished->second == 0) files_[index] = TRY(creator.finish_file(entry.path, attributes_of(entry)));
    return {};
  }

  const FillRequest& request_;
  const Manifest& manifest_;
  const Directories::Handle root_;
  const unsigned threads_;
  const FetchPlan plan_;
  std::unordered_map<std::uint32_t, std::atomic<std::uint32_t>> unfinished_;  // blocks still to come, by entry
  std::vector<FileStatus> files_;  // each written by the one thread that finishes the file
  std::uint64_t bytes_ = 0;
  std::atomic<std::uint64_t> fetched_bytes_ = 0;
  std::atomic<std::size_t> next_task_ = 0;
  std::mutex mutex_;
  std::optional<ObjectName> damaged_;
  unsigned fetching_ = 0;  // threads that wait for the store
  std::vector<std::shared_ptr<Fetched>> open_;
  std::condition_variable_any fetched_one_;
};

}  // namespace

std::expected<Filled, FillFailure> fill(const FillRequest& request, const std::stop_token& stop) {
  const Result<Directories> root = Directories::open(request.root);
  if (!root) return std::unexpected(FillFailure{root.error(), std::nullopt, 0});
  Filler filler(request, root->root(), thread_count(request.threads));
  Result<void> filled = filler.run(stop);
  if (filled) return std::move(filler).result();
  return std::unexpected(std::move(filler).failure(std::move(filled).error()));
}

}  // namespace hearth::cache
