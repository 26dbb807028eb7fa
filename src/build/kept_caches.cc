#include "build/kept_caches.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <vector>

#include "cache/cache.h"
#include "util/file.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr const char* kTree = "tree";
constexpr const char* kIndex = "index";
constexpr const char* kBytes = "bytes";
constexpr mode_t kOursOnly = 0700;

// What is kept of one slot.
struct Kept {
  fs::path path;
  fs::path lock;
  std::uint64_t bytes = 0;
  fs::file_time_type used;
};

fs::path place_of(const WorkDir& work) {
  return kept_caches(work.root()) / work.path().parent_path().filename() / work.path().filename();
}

Result<void> move(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return fail_errno(error.value(), fmt::format("moving {} to {}", from.native(), to.native()));
  return {};
}

// Of one whose size is not told it is 0: it is not complete, and its slot's next build removes it.
std::uint64_t bytes_of(const fs::path& kept) {
  constexpr std::uint64_t kMostDigits = 20;
  const Result<std::string> text = util::read_file(kept / kBytes, kMostDigits);
  std::uint64_t bytes = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), bytes);
  return bytes;
}

std::vector<Kept> all_kept(const fs::path& root) {
  std::vector<Kept> all;
  std::error_code error;
  for (fs::directory_iterator app(kept_caches(root), error), end; !error && app != end; app.increment(error)) {
    std::error_code inner;
    for (fs::directory_iterator slot(app->path(), inner); !inner && slot != end; slot.increment(inner)) {
      std::error_code unknown;
      all.push_back({.path = slot->path(),
                     .lock = slot_lock(root, app->path().filename(), slot->path().filename()),
                     .bytes = bytes_of(slot->path()),
                     .used = slot->last_write_time(unknown)});
    }
  }
  return all;
}

// A build that ends at the same moment does so too: what it removes is found absent here.
void make_room(const fs::path& root, std::uint64_t most) {
  std::vector<Kept> all = all_kept(root);
  std::ranges::sort(all, {}, &Kept::used);
  std::uint64_t total = 0;
  for (const Kept& kept : all) total += kept.bytes;
  for (const Kept& kept : all) {
    if (total <= most) return;
    const auto lock = util::FileLock::try_acquire(kept.lock);
    if (!lock || !util::remove_tree(kept.path)) continue;
    total -= kept.bytes;
  }
}

Result<void> move_to(const fs::path& place, const WorkDir& work, std::uint64_t bytes) {
  TRY(util::make_directories(place, kOursOnly));
  TRY(move(work.own() / kIndex, place / kIndex));
  TRY(move(work.cache(), place / kTree));
  return util::write_file(place / kBytes, std::to_string(bytes));
}

}  // namespace

Result<void> keep_cache(const WorkDir& work, std::uint64_t bytes, std::uint64_t most) {
  const fs::path place = place_of(work);
  TRY(util::remove_tree(place));
  if (bytes > most) return {};
  Result<void> moved = move_to(place, work, bytes);
  if (!moved) {
    drop_kept_cache(work);
    return moved;
  }
  make_room(work.root(), most);
  return {};
}

void take_kept_cache(const WorkDir& work) {
  const fs::path place = place_of(work);
  const fs::path tree = work.own() / "restored";
  const fs::path index = work.own() / kIndex;
  const bool usable =
      move(place / kTree, tree) && move(place / kIndex, index) && cache::make_room(tree, index, cache::Replace::yes);
  if (!usable) std::ignore = util::remove_tree(tree);
  drop_kept_cache(work);
}

void drop_kept_cache(const WorkDir& work) {
  std::ignore = util::remove_tree(place_of(work));
}

}  // namespace hearth::build
