#include "cache/tree/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "cache/format/manifest.h"
#include "cache/tree/local_error.h"
#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

// Times outside of the range of 64 bits (1677 to 2262) are moved to its ends.
std::int64_t to_nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t result = 0;
  const bool overflow = __builtin_mul_overflow(std::int64_t{time.tv_sec}, kSecond, &result) ||
                        __builtin_add_overflow(result, std::int64_t{time.tv_nsec}, &result);
  if (!overflow) return result;
  return time.tv_sec < 0 ? INT64_MIN : INT64_MAX;
}

// What a row has room for, and more than PATH_MAX.
constexpr std::uint16_t kTargetMask = 0x7fff;

std::string joined(std::string_view directory, std::string_view name) {
  return Path(directory, name).text();
}

}  // namespace

// Lists folder by folder, in any order and on several threads, and then puts the folders together.
class Walker {
 public:
  Walker(const Directories::Handle& root, const util::IgnoreRules& exclude, Warnings& warnings)
      : root_(root), exclude_(exclude), warnings_(warnings) {}

  Result<Listing> run(unsigned threads, const std::stop_token& stop) {
    if (::fstat(root_->get(), &root_status_) != 0) return fail_errno(errno, "looking at the cache directory");
    Lister first(root_);
    TRY(list(first, *top_));
    hand_out(*top_);
    if (unlisted_ > 0) {
      TRY(in_parallel(threads, stop, [this](const std::stop_token& token) { return work(token); }));
    }
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while listing the cache directory");
    TRY(gather());
    listing_.left_out_ = left_out_;
    listing_.has_one_owner_ = has_one_owner_;
    return std::move(listing_);
  }

 private:
  using Row = Listing::Row;

  // What one directory holds. Of a row of it, `text` is where its name lies in the folder's text, with a slash behind
  // it and then the target; `parent` is, for a directory, its index in `folders`.
  struct Folder {
    std::string path;
    std::string text;
    std::vector<Row> rows;  // by name, once they are all there
    std::vector<std::unique_ptr<Folder>> folders;

    void complete() {
      rows.shrink_to_fit();
      text.shrink_to_fit();
      std::ranges::sort(rows, {}, [this](const Row& row) { return name(row); });
    }
    std::string_view name(const Row& row) const { return std::string_view(text).substr(row.text, row.path_bytes); }
    std::string_view name_and_slash(const Row& row) const {
      return std::string_view(text).substr(row.text, row.path_bytes + std::size_t{1});
    }
    std::string_view target(const Row& row) const {
      return std::string_view(text).substr(row.text + row.path_bytes + std::size_t{1}, row.target_bytes);
    }
  };

  // What one thread lists with.
  struct Lister {
    explicit Lister(const Directories::Handle& root) : directories(root) {}

    Directories directories;
    std::vector<std::pair<std::uint64_t, std::uint16_t>> devices;  // those that it has met, and their numbers
  };

  // A folder that is being put into the listing.
  struct Level {
    std::unique_ptr<Folder> folder;
    std::uint32_t row = Listing::kNoRow;  // its own
    std::vector<std::uint32_t> inner;     // its rows that are directories, in the order of what lies in them
    std::vector<std::uint32_t> rows_of;   // of its folders, in the listing
    std::size_t next_row = 0;
    std::size_t next_inner = 0;
  };

  Result<void> work(const std::stop_token& stop) {
    Lister lister(root_);
    while (Folder* folder = next(stop)) {
      if (const Result<void> listed = list(lister, *folder); !listed) TRY(skip(listed.error()));
      hand_out(*folder);
      const std::lock_guard guard(mutex_);
      if (--unlisted_ == 0) changed_.notify_all();
    }
    return {};
  }

  // None when all is listed, and on a stop.
  Folder* next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return !waiting_.empty() || unlisted_ == 0; });
    if (waiting_.empty() || stop.stop_requested()) return nullptr;
    Folder* folder = waiting_.back();
    waiting_.pop_back();
    return folder;
  }

  // `folder` is listed; those in it are not.
  void hand_out(Folder& folder) {
    folder.complete();
    const std::lock_guard guard(mutex_);
    total_ += folder.rows.size();
    unlisted_ += folder.folders.size();
    for (const auto& inner : folder.folders) waiting_.push_back(inner.get());
    if (!folder.folders.empty()) changed_.notify_all();
  }

  Result<void> list(Lister& lister, Folder& folder) {
    const Directories::Handle directory = TRY(lister.directories.at(folder.path));
    // The root's descriptor may have been read before.
    if (::lseek(directory->get(), 0, SEEK_SET) != 0) return failed(folder);
    constexpr std::size_t kBufferBytes = 32 << 10;
    alignas(dirent64) std::array<char, kBufferBytes> buffer{};
    while (true) {
      const ssize_t bytes = ::getdents64(directory->get(), buffer.data(), buffer.size());
      if (bytes < 0) return failed(folder);
      if (bytes == 0) break;
      for (ssize_t at = 0; at < bytes;) {
        const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") TRY(add(lister, *directory, folder, entry->d_name));
        at += entry->d_reclen;
      }
    }
    return {};
  }

  static std::unexpected<Error> failed(const Folder& folder) {
    const int code = errno;
    return fail_local(code, fmt::format("reading the directory {}", folder.path));
  }

  // `name` ends in a NUL.
  Result<void> add(Lister& lister, const util::Fd& directory, Folder& folder, const char* name) {
    const Path path(folder.path, name);
    if (path.size() > kPathLimit) {
      warnings_.add(fmt::format("left out of the cache: {}… (the path is too long)", path.text().substr(0, 80)));
      return {};
    }
    struct stat status{};
    if (::fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return skip(fail_local(errno, path.text()).error());
    }
    if (is_excluded(path, status)) {
      ++left_out_;
      return {};
    }
    if (status.st_uid != root_status_.st_uid || status.st_gid != root_status_.st_gid) has_one_owner_ = false;
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
      warnings_.add(fmt::format("left out of the cache: {} (neither a file, a directory nor a link)", path));
      return {};
    }
    const std::size_t text = folder.text.size();
    if (text > UINT32_MAX - 2 * PATH_MAX) return too_many();
    folder.text.append(path.name()).push_back('/');
    Row row = row_of(lister, status);
    row.text = static_cast<std::uint32_t>(text);
    row.path_bytes = static_cast<std::uint16_t>(path.name().size());
    if (S_ISLNK(status.st_mode)) {
      const ssize_t target_bytes = append_target(directory, name, folder.text);
      if (target_bytes < 0) {
        const int code = errno;
        folder.text.resize(text);
        return skip(fail_local(code, path.text()).error());
      }
      row.target_bytes = static_cast<std::uint16_t>(target_bytes) & kTargetMask;
    } else if (S_ISDIR(status.st_mode)) {
      row.parent = static_cast<std::uint32_t>(folder.folders.size());
      folder.folders.push_back(std::make_unique<Folder>(Folder{path.text(), {}, {}, {}}));
    }
    folder.rows.push_back(row);
    return {};
  }

  bool is_excluded(const Path& path, const struct stat& status) const {
    if (exclude_.empty()) return false;
    return exclude_.match(path.text(), S_ISDIR(status.st_mode) ? util::PathKind::directory : util::PathKind::other);
  }

  // readlinkat's result.
  static ssize_t append_target(const util::Fd& directory, const char* name, std::string& text) {
    const std::size_t before = text.size();
    text.resize(before + PATH_MAX);
    const ssize_t bytes = ::readlinkat(directory.get(), name, text.data() + before, PATH_MAX);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    return bytes;
  }

  Row row_of(Lister& lister, const struct stat& status) {
    const FileStatus known = file_status(status);
    return {.inode = known.inode,
            .size = known.size,
            .mtime = known.mtime,
            .ctime = known.ctime,
            .text = 0,
            .parent = Listing::kNoRow,
            .mode = static_cast<std::uint16_t>(known.mode),
            .device = number_of(lister, known.device),
            .path_bytes = 0,
            .target_bytes = 0,
            .has_other_names = !known.is_directory() && status.st_nlink > 1};
  }

  std::uint16_t number_of(Lister& lister, std::uint64_t device) {
    for (const auto& [met, number] : lister.devices) {
      if (met == device) return number;
    }
    const std::lock_guard guard(devices_mutex_);
    return lister.devices.emplace_back(device, listing_.number_of(device)).second;
  }

  static std::unexpected<Error> too_many() {
    return fail(ErrorKind::invalid, "the directory has more entries than a cache can have");
  }

  // What is gone meanwhile needs no word. Where the machine is at its end, what is there and could be read would be
  // left out, whole directories of it.
  Result<void> skip(const Error& error) {
    if (!is_of_the_file(error.kind)) return std::unexpected(error);
    if (error.kind != ErrorKind::not_found) warnings_.add(fmt::format("left out of the cache: {}", error.message));
    return {};
  }

  Result<void> gather() {
    listing_.rows_.reserve(total_);
    std::vector<Level> levels;
    levels.push_back(level(std::move(top_), Listing::kNoRow));
    while (!levels.empty()) {
      Level& now = levels.back();
      const Folder& folder = *now.folder;
      const Row* row = now.next_row < folder.rows.size() ? &folder.rows[now.next_row] : nullptr;
      const Row* inner = now.next_inner < now.inner.size() ? &folder.rows[now.inner[now.next_inner]] : nullptr;
      if (row != nullptr && (inner == nullptr || folder.name(*row) < folder.name_and_slash(*inner))) {
        TRY(append(now, *row));
        ++now.next_row;
      } else if (inner != nullptr) {
        ++now.next_inner;
        const std::uint32_t number = inner->parent;
        levels.push_back(level(std::move(now.folder->folders[number]), now.rows_of[number]));
      } else {
        levels.pop_back();
      }
    }
    return {};
  }

  // "a" comes first, then "a-b", then "a/c": a directory's content is sorted as if its name ended in a slash.
  static Level level(std::unique_ptr<Folder> folder, std::uint32_t row) {
    const Folder& all = *folder;
    std::vector<std::uint32_t> inner;
    for (std::uint32_t index = 0; index < all.rows.size(); ++index) {
      if (S_ISDIR(all.rows[index].mode)) inner.push_back(index);
    }
    std::ranges::sort(inner, {}, [&all](std::uint32_t index) { return all.name_and_slash(all.rows[index]); });
    std::vector<std::uint32_t> rows_of(all.folders.size());
    return {.folder = std::move(folder),
            .row = row,
            .inner = std::move(inner),
            .rows_of = std::move(rows_of),
            .next_row = 0,
            .next_inner = 0};
  }

  Result<void> append(Level& level, const Row& row) {
    std::string& text = listing_.text_;
    if (text.size() > UINT32_MAX - 2 * PATH_MAX || listing_.rows_.size() == Listing::kNoRow) return too_many();
    Row copy = row;
    copy.text = static_cast<std::uint32_t>(text.size());
    copy.parent = level.row;
    const std::string_view name = level.folder->name(row);
    if (S_ISDIR(row.mode)) {
      level.rows_of[row.parent] = static_cast<std::uint32_t>(listing_.rows_.size());
      const std::string path = joined(listing_.directory(level.row), name);
      copy.path_bytes = static_cast<std::uint16_t>(path.size());
      text += path;
    } else {
      text.append(name).append(level.folder->target(row));
    }
    listing_.rows_.push_back(copy);
    return {};
  }

  const Directories::Handle root_;
  const util::IgnoreRules& exclude_;
  Warnings& warnings_;
  std::unique_ptr<Folder> top_ = std::make_unique<Folder>();
  Listing listing_;

  std::mutex devices_mutex_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Folder*> waiting_;
  std::size_t unlisted_ = 0;  // waiting, or being listed
  std::size_t total_ = 0;     // rows
  std::atomic<std::uint64_t> left_out_ = 0;
  struct stat root_status_{};
  std::atomic<bool> has_one_owner_ = true;
};

FileStatus file_status(const struct stat& status) {
  FileStatus result;
  result.device = status.st_dev;
  result.inode = status.st_ino;
  result.size = static_cast<std::uint64_t>(status.st_size);
  result.mtime = to_nanoseconds(status.st_mtim);
  result.ctime = to_nanoseconds(status.st_ctim);
  result.mode = status.st_mode & ~static_cast<std::uint32_t>(S_ISUID | S_ISGID);
  return result;
}

std::string_view Listing::directory(std::uint32_t row) const {
  if (row == kNoRow) return {};
  return std::string_view(text_).substr(rows_[row].text, rows_[row].path_bytes);
}

FoundEntry Listing::operator[](std::size_t index) const {
  const Row& row = rows_[index];
  const std::string_view text = std::string_view(text_).substr(row.text, row.path_bytes);
  return {.path = S_ISDIR(row.mode) ? Path(text) : Path(directory(row.parent), text),
          .status = status(index),
          .has_other_names = row.has_other_names != 0,
          .target = std::string_view(text_).substr(row.text + row.path_bytes, row.target_bytes)};
}

FileStatus Listing::status(std::size_t index) const {
  const Row& row = rows_[index];
  return {.device = devices_[row.device],
          .inode = row.inode,
          .size = row.size,
          .mtime = row.mtime,
          .ctime = row.ctime,
          .mode = row.mode};
}

void Listing::renew(std::size_t index, const FileStatus& status) {
  Row& row = rows_[index];
  row.inode = status.inode;
  row.size = status.size;
  row.mtime = status.mtime;
  row.ctime = status.ctime;
  row.mode = static_cast<std::uint16_t>(status.mode);
  row.device = number_of(status.device);
}

void Listing::remove(const std::vector<bool>& gone) {
  std::vector<std::uint32_t> places(rows_.size(), kNoRow);
  std::uint32_t left = 0;
  for (std::size_t index = 0; index < rows_.size(); ++index) {
    if (gone[index]) continue;
    Row row = rows_[index];
    if (row.parent != kNoRow) row.parent = places[row.parent];
    places[index] = left;
    rows_[left++] = row;
  }
  rows_.resize(left);
}

// A tree lies on few file systems.
std::uint16_t Listing::number_of(std::uint64_t device) {
  const auto found = std::ranges::find(devices_, device);
  if (found == devices_.end()) {
    devices_.push_back(device);
    return static_cast<std::uint16_t>(devices_.size() - 1);
  }
  return static_cast<std::uint16_t>(found - devices_.begin());
}

Result<Listing> walk(const Directories::Handle& root, unsigned threads, const util::IgnoreRules& exclude,
                     Warnings& warnings, const std::stop_token& stop) {
  return Walker(root, exclude, warnings).run(threads, stop);
}

}  // namespace hearth::cache
