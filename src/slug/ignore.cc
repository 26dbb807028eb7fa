#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "slug/slug.h"
#include "slug/tree_walk.h"
#include "util/file.h"
#include "util/ignore_rules.h"

namespace hearth::slug {

namespace fs = std::filesystem;

namespace {

constexpr off_t kLargestIgnoreFile = off_t{1} << 20;

// Absent if there is no such file.
Result<std::optional<std::string>> read_ignore_file(const util::Fd& directory, const std::string& name) {
  // O_NONBLOCK: a fifo must not hold us up.
  const util::Fd fd(::openat(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::optional<std::string>();
  if (!fd && (errno == EACCES || errno == EPERM)) return fail_errno(errno, fmt::format("opening {}", name));
  struct stat status{};
  const bool usable = fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  if (!usable || status.st_size > kLargestIgnoreFile) {
    return fail(ErrorKind::invalid, "{} must be a regular file of at most 1 MiB with one pattern a line", name);
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const std::size_t count = TRY(within(name, util::read_full(fd.get(), std::as_writable_bytes(std::span(text)))));
  text.resize(count);
  return std::optional(std::move(text));
}

// The entry and all that lies below it.
std::uint64_t count_entries(const fs::path& path, const WalkEntry& entry) {
  std::uint64_t count = 1;
  if (!S_ISDIR(entry.status.st_mode)) return count;
  Result<TreeWalk> walk = TreeWalk::open(path);
  while (walk) {
    const Result<std::optional<WalkEntry>> next = walk->next();
    if (!next || !*next) break;
    ++count;
  }
  return count;
}

// A read-only directory lets nothing go: it is made writable for the moment.
Result<void> remove_entry(const fs::path& path, const WalkEntry& entry) {
  Result<void> removed = util::remove_tree(path);
  struct stat parent{};
  if (removed || removed.error().kind != ErrorKind::denied || ::fstat(entry.parent, &parent) != 0) return removed;
  if (::fchmod(entry.parent, parent.st_mode | S_IRWXU) != 0) return removed;
  removed = util::remove_tree(path);
  if (::fchmod(entry.parent, parent.st_mode) != 0 && removed) {
    return fail_errno(errno, fmt::format("restoring the mode of {}", path.parent_path().native()));
  }
  return removed;
}

}  // namespace

Result<std::uint64_t> apply_ignore_file(const fs::path& app_dir, const std::string& name) {
  const util::Fd directory = TRY(util::open_file(app_dir, util::kDirectoryFlags));
  const std::optional<std::string> text = TRY(read_ignore_file(directory, name));
  if (!text) return std::uint64_t{0};
  const util::IgnoreRules rules(*text);
  std::uint64_t removed = 0;
  TreeWalk walk = TRY(TreeWalk::open(app_dir));
  while (!rules.empty()) {
    const std::optional<WalkEntry> entry = TRY(walk.next());
    if (!entry) break;
    if (!rules.match(entry->path, S_ISDIR(entry->status.st_mode) ? util::PathKind::directory : util::PathKind::other))
      continue;
    const fs::path path = app_dir / entry->path;
    removed += count_entries(path, *entry);
    TRY(within(name, remove_entry(path, *entry)));
    walk.skip_content();
  }
  return removed;
}

}  // namespace hearth::slug
