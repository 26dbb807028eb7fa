#include "util/unpack.h"

#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "util/byte_source.h"
#include "util/rooted_tree.h"
#include "util/tar_reader.h"
#include "util/text.h"

namespace hearth::util {

namespace {

constexpr mode_t kKeptModeBits = 01777;
constexpr std::size_t kLongestPath = PATH_MAX;
// Of headers and padding, for the limit on the whole stream; long names take more, absurdly many of them are refused.
constexpr std::uint64_t kOverheadPerEntry = 4096;

// "./a//b/" → "a/b"; "" is the root itself.
Result<std::string> checked_path(std::string_view path) {
  if (path.empty()) return fail(ErrorKind::invalid, "an entry without a name");
  if (path.front() == '/') return fail(ErrorKind::invalid, "an absolute path");
  if (path.size() >= kLongestPath) return fail(ErrorKind::invalid, "a path longer than {} bytes", kLongestPath);
  std::string checked;
  for (const std::string_view component : split(path, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") return fail(ErrorKind::invalid, "a path with \"..\"");
    if (component.size() > NAME_MAX) return fail(ErrorKind::invalid, "a name longer than {} bytes", NAME_MAX);
    if (!checked.empty()) checked += '/';
    checked += component;
  }
  return checked;
}

std::uint64_t stream_limit(const UnpackLimits& limits) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t entries = std::min(limits.entries, kMost / kOverheadPerEntry - 1);
  const std::uint64_t overhead = (entries + 1) * kOverheadPerEntry;
  return limits.bytes > kMost - overhead ? kMost : limits.bytes + overhead;
}

class Unpacking {
 public:
  Unpacking(TarReader reader, RootedTree tree, const UnpackOptions& options, std::stop_token stop)
      : reader_(std::move(reader)), tree_(std::move(tree)), options_(options), stop_(std::move(stop)) {}

  Result<Unpacked> run() {
    while (true) {
      if (stop_.stop_requested()) return fail(ErrorKind::cancelled, "stopped while unpacking");
      const std::optional<TarEntry> entry = TRY(reader_.next());
      if (!entry) break;
      ++seen_;
      TRY(check_count());
      TRY(within(fmt::format("archive entry {}", shown(entry->path)), take(*entry)));
      TRY(check_count());
    }
    if (options_.top_folder == TopFolder::strip_if_sole) TRY(tree_.strip_sole_folder());
    TRY(tree_.finish(stop_));
    return done_;
  }

 private:
  // One entry's path can name a thousand directories.
  Result<void> check_count() const {
    const std::uint64_t most = options_.limits.entries;
    if (seen_ <= most && tree_.made_on_the_way() <= most - seen_) return {};
    return fail(ErrorKind::invalid, "the archive has more than {} entries", most);
  }

  Result<void> take(const TarEntry& entry) {
    const std::string path = TRY(checked_path(entry.path));
    if (entry.type == TarEntryType::device) return fail(ErrorKind::invalid, "a device node");
    if (path.empty()) {
      if (entry.type == TarEntryType::directory) {
        done_.top = {.mode = entry.mode & kKeptModeBits, .mtime = mtime_of(entry)};
        return {};
      }
      return fail(ErrorKind::invalid, "something other than a directory in place of the whole tree");
    }
    if (entry.type == TarEntryType::fifo || left_out(path)) return {};
    TRY(write(path, entry));
    ++done_.entries;
    return {};
  }

  Result<void> write(const std::string& path, const TarEntry& entry) {
    switch (entry.type) {
      case TarEntryType::directory:
        TRY(count_directory(path));
        return tree_.make_directory(path, entry.mode & kKeptModeBits, mtime_of(entry));
      case TarEntryType::symlink:
        return tree_.make_symlink(path, entry.target, mtime_of(entry));
      case TarEntryType::hard_link: {
        const std::string target = TRY(within("the hard link's target", checked_path(entry.target)));
        return tree_.make_hard_link(path, target);
      }
      default:
        return write_content(path, entry);
    }
  }

  Result<void> count_directory(const std::string& path) {
    if (path.size() > options_.limits.directory_paths - directory_paths_) {
      return fail(ErrorKind::invalid, "the paths of the archive's directories have more than {}",
                  human_size(options_.limits.directory_paths));
    }
    directory_paths_ += path.size();
    return {};
  }

  Result<void> write_content(const std::string& path, const TarEntry& entry) {
    if (entry.size > options_.limits.bytes - done_.bytes) return too_large();
    const Fd fd = TRY(tree_.create_file(path));
    std::uint64_t end = 0;
    while (true) {
      const std::optional<TarBlock> block = TRY(reader_.next_block());
      if (!block) break;
      if (stop_.stop_requested()) return fail(ErrorKind::cancelled, "stopped while unpacking");
      if (block->bytes.empty()) continue;
      if (block->offset > entry.size || block->bytes.size() > entry.size - block->offset) {
        return fail(ErrorKind::corrupt, "the content is longer than its header says");
      }
      TRY(write_at(fd.get(), block->bytes, block->offset));
      end = block->offset + block->bytes.size();
    }
    if (end < entry.size && ::ftruncate(fd.get(), static_cast<off_t>(entry.size)) != 0) {
      return fail_errno(errno, "giving the file its size");
    }
    done_.bytes += entry.size;
    return set_metadata(fd.get(), entry);
  }

  static Result<void> write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
    if (::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) return fail_errno(errno, "seek");
    return write_full(fd, bytes);
  }

  Result<void> set_metadata(int fd, const TarEntry& entry) const {
    if (::fchmod(fd, entry.mode & kKeptModeBits) != 0) return fail_errno(errno, "setting the mode");
    const std::optional<timespec> mtime = mtime_of(entry);
    if (!mtime) return {};
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *mtime};
    if (::futimens(fd, times) != 0) return fail_errno(errno, "setting the time");
    return {};
  }

  std::optional<timespec> mtime_of(const TarEntry& entry) const {
    return options_.mtimes == Mtimes::as_stored ? entry.mtime : std::nullopt;
  }

  // Asks about the path and about each directory that it lies in.
  bool left_out(std::string_view path) const {
    if (!options_.leave_out) return false;
    for (std::size_t end = path.find('/'); end != std::string_view::npos; end = path.find('/', end + 1)) {
      if (options_.leave_out(path.substr(0, end))) return true;
    }
    return options_.leave_out(path);
  }

  std::unexpected<Error> too_large() const {
    return fail(ErrorKind::invalid, "the archive unpacks to more than {}", human_size(options_.limits.bytes));
  }

  TarReader reader_;
  RootedTree tree_;
  const UnpackOptions& options_;
  std::stop_token stop_;
  std::uint64_t seen_ = 0;
  std::uint64_t directory_paths_ = 0;
  Unpacked done_;
};

}  // namespace

Result<Unpacked> unpack(const Fd& source, const std::filesystem::path& directory, const UnpackOptions& options,
                        std::stop_token stop) {
  RootedTree tree = TRY(RootedTree::open(directory, options.owner));
  std::unique_ptr<ByteSource> bytes = TRY(open_decompressed(source, stop));
  TarReader reader = TRY(TarReader::open(std::move(bytes), stream_limit(options.limits)));
  return Unpacking(std::move(reader), std::move(tree), options, std::move(stop)).run();
}

}  // namespace hearth::util
