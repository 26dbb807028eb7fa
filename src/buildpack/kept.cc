#include "buildpack/kept.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/copy_tree.h"
#include "util/file.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::buildpack {
namespace {

namespace fs = std::filesystem;

std::string entry_name(const std::string& url, const std::string& revision) {
  return util::sha256(fmt::format("{}\n{}", url, revision)).hex();
}

// A locked directory that still stands under its name; absent if it is gone or somebody else holds it.
std::optional<util::Fd> lock(const fs::path& directory, int mode) {
  util::Fd fd(open(directory.c_str(), util::kDirectoryFlags));
  if (!fd || flock(fd.get(), mode | LOCK_NB) != 0) return std::nullopt;
  struct stat locked = {};
  struct stat named = {};
  const bool same = fstat(fd.get(), &locked) == 0 && lstat(directory.c_str(), &named) == 0 &&
                    locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
  if (!same) return std::nullopt;
  return fd;
}

std::uint64_t size_of(const fs::path& tree) {
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entries(tree, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    struct stat status = {};
    if (lstat(entries->path().c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

// Removes the entry unless somebody uses it.
bool remove_entry(const fs::path& folder, const fs::path& entry) {
  const auto locked = lock(entry, LOCK_EX);
  if (!locked) return false;
  const fs::path gone = folder / (".gone-" + util::random_hex(8));
  std::error_code error;
  fs::rename(entry, gone, error);
  return !error && util::remove_tree(gone).has_value();
}

struct Entry {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes = 0;
};

}  // namespace

Result<bool> Kept::copy_out(const std::string& url, const std::string& revision, const fs::path& destination,
                            std::optional<uid_t> owner, std::stop_token stop) const {
  if (folder_.empty()) return false;
  const fs::path entry = folder_ / entry_name(url, revision);
  const auto locked = lock(entry, LOCK_SH);
  if (!locked) return false;
  auto copied = util::copy_tree(entry / "tree", destination,
                                {.owner = owner, .mtimes = util::Mtimes::as_stored, .leave_out = {}}, stop);
  if (!copied) {
    TRY(util::remove_tree(destination));
    if (stop.stop_requested()) return std::unexpected(std::move(copied).error());
    return false;
  }
  futimens(locked->get(), nullptr);
  return true;
}

Result<void> Kept::keep(const std::string& url, const std::string& revision, const fs::path& tree, std::stop_token stop,
                        const std::string& note) const {
  if (folder_.empty()) return {};
  TRY(util::make_directories(folder_, 0700));
  const fs::path entry = folder_ / entry_name(url, revision);
  std::error_code error;
  if (fs::exists(entry, error)) return {};
  util::TempDir fresh = TRY(util::TempDir::create(folder_, ".new-"));
  const auto locked = lock(fresh.path(), LOCK_EX);
  if (!locked) return fail(ErrorKind::conflict, "{} was taken away", fresh.path().native());
  TRY(util::copy_tree(tree, fresh.path() / "tree",
                      {.owner = std::nullopt, .mtimes = util::Mtimes::as_stored, .leave_out = {}}, std::move(stop)));
  TRY(util::write_file(fresh.path() / "note", note));
  fs::rename(fresh.path(), entry, error);
  if (!error) fresh.release();
  const bool kept_by_another = error == std::errc::directory_not_empty || error == std::errc::file_exists;
  if (error && !kept_by_another) return fail_errno(error.value(), entry.native());
  return trim_to_bound();
}

std::string Kept::note(const std::string& url, const std::string& revision) const {
  constexpr std::uint64_t kNoteLimit = 4096;
  return util::read_file(folder_ / entry_name(url, revision) / "note", kNoteLimit).value_or("");
}

Result<void> Kept::trim_to_bound() const {
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  fs::directory_iterator items(folder_, error);
  for (; !error && items != fs::directory_iterator(); items.increment(error)) {
    const fs::path& path = items->path();
    const std::string name = path.filename().string();
    if (name.starts_with(".gone-")) TRY(util::remove_tree(path));
    // Nobody holds what a process left behind when it died.
    if (name.starts_with(".new-")) remove_entry(folder_, path);
    if (name.starts_with('.')) continue;
    std::error_code ignored;
    entries.push_back({path, items->last_write_time(ignored), size_of(path)});
    total += entries.back().bytes;
  }
  if (error) return fail_errno(error.value(), folder_.native());
  std::ranges::sort(entries, {}, &Entry::used);
  for (const Entry& entry : entries) {
    if (total <= bytes_) break;
    if (remove_entry(folder_, entry.path)) total -= entry.bytes;
  }
  return {};
}

}  // namespace hearth::buildpack
