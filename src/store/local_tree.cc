#include "store/local_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "util/file.h"

namespace hearth::store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX of Linux' file systems
constexpr int kRaces = 64;                 // more removals of one folder in a row are no accident

// mkdir -p that returns errno, so that a lost race can be told from a refusal.
int make_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return 0;
  if (errno == ENOENT && folder.has_relative_path()) {
    const int code = make_folders(folder.parent_path());
    if (code != 0) return code;
    if (::mkdir(folder.c_str(), 0700) == 0) return 0;
  }
  if (errno != EEXIST) return errno;
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return errno;
  return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

// What a writer that was killed between making folders and moving its file may have left.
void remove_empty_tree(const fs::path& folder) {
  std::vector<fs::path> folders{folder};
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    std::error_code unknown;
    if (entry->is_directory(unknown) && !entry->is_symlink(unknown)) folders.push_back(entry->path());
  }
  while (!folders.empty()) {
    ::rmdir(folders.back().c_str());
    folders.pop_back();
  }
}

class Walk {
 public:
  explicit Walk(const TreeVisitor& visit) : visit_(visit) {}

  // `stem` is what the keys in this folder begin with.
  Result<void> below(const fs::path& folder, const std::string& stem) {
    const std::vector<std::string> names = TRY(names_in(folder));
    for (const std::string& name : names) {
      const bool is_folder = name.ends_with('/');
      if (stem.empty() && is_folder && name.starts_with(kOwnFolder) && name.size() == kOwnFolder.size() + 1) continue;
      auto key = Key::parse(stem + (is_folder ? name.substr(0, name.size() - 1) : name));
      if (!key) continue;  // not ours: no object has such a name
      if (is_folder) {
        TRY(below(folder / name, stem + name));
        continue;
      }
      const std::optional<struct stat> status = TRY(examine(folder / name));
      if (status) TRY(visit_(*std::move(key), *status));
    }
    return {};
  }

 private:
  // Folders come with a '/' at the end, and are sorted with it: the order of the keys below them.
  static Result<std::vector<std::string>> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
      std::error_code unknown;
      const fs::file_type type = entry->symlink_status(unknown).type();
      std::string name = entry->path().filename().native();
      if (type == fs::file_type::directory) names.push_back(name + '/');
      if (type == fs::file_type::regular) names.push_back(std::move(name));
    }
    const int code = failed.value();
    if (code != 0 && code != ENOENT && code != ENOTDIR) {
      return refused(code, fmt::format("listing {}", folder.native()));
    }
    std::ranges::sort(names);
    return names;
  }

  const TreeVisitor& visit_;
};

}  // namespace

std::unexpected<Error> refused(int code, std::string_view what) {
  auto error = fail_errno(code, what);
  if (code == EROFS) error.error().kind = ErrorKind::denied;
  if (code == ESTALE || code == ETIMEDOUT) error.error().kind = ErrorKind::unavailable;
  if (code == ENAMETOOLONG) error.error().kind = ErrorKind::invalid;
  return error;
}

Result<fs::path> path_of(const fs::path& root, const Key& key) {
  const std::string_view text = key.text();
  if (text == kOwnFolder || (text.starts_with(kOwnFolder) && text[kOwnFolder.size()] == '/')) {
    return fail(ErrorKind::invalid, "the key {} is not possible in a store of files: '{}' is the store's own", text,
                kOwnFolder);
  }
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('/', start), text.size());
    if (end - start > kLongestName) {
      return fail(ErrorKind::invalid,
                  "the key {} is not possible in a store of files: a segment has more than {} bytes", text,
                  kLongestName);
    }
    start = end + 1;
  }
  return root / text;
}

Result<std::optional<struct stat>> examine(const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    return S_ISREG(status.st_mode) ? std::optional(status) : std::nullopt;
  }
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  return refused(errno, fmt::format("examining {}", path.native()));
}

Version version_of(const struct stat& status) {
  return {
      fmt::format("{:x}-{:x}-{}.{:09}", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec)};
}

ObjectInfo info_of(Key key, const struct stat& status, StoreTime now) {
  const StoreTime modified{std::chrono::seconds(status.st_mtim.tv_sec)};
  // A clock that was set back must not make ages negative.
  return {std::move(key), static_cast<std::uint64_t>(status.st_size), version_of(status), modified,
          std::max(now, modified)};
}

Result<void> move_into_place(const fs::path& file, const fs::path& path) {
  int code = 0;
  for (int race = 0; race < kRaces; ++race) {
    if (::rename(file.c_str(), path.c_str()) == 0) return {};
    code = errno;
    if (code == ENOENT) {
      code = make_folders(path.parent_path());
      if (code == 0 || code == ENOENT) continue;
    }
    if (code == EISDIR && race == 0) {
      remove_empty_tree(path);
      continue;
    }
    break;
  }
  if (code == 0 || code == ENOENT) {
    return fail(ErrorKind::io, "creating {}: its folder, or the draft {}, is removed again and again", path.native(),
                file.native());
  }
  if (code == EISDIR) {
    return fail(ErrorKind::invalid, "{} is a folder with objects: a store of files has no object above others",
                path.native());
  }
  if (code == ENOTDIR) {
    return fail(ErrorKind::invalid, "{} would lie below an object: a store of files has no object above others",
                path.native());
  }
  return refused(code, fmt::format("creating {}", path.native()));
}

void remove_empty_folders(fs::path folder, const fs::path& root) {
  while (folder != root && folder.has_relative_path() && ::rmdir(folder.c_str()) == 0) folder = folder.parent_path();
}

Result<void> sync_folders(fs::path folder, const fs::path& root) {
  while (true) {
    TRY(util::sync_directory(folder));
    if (folder == root || !folder.has_relative_path()) return {};
    folder = folder.parent_path();
  }
}

Result<void> for_each_object(const fs::path& root, const Prefix& prefix, const TreeVisitor& visit) {
  Walk walk(visit);
  return walk.below(root / prefix.text(), prefix.text());
}

}  // namespace hearth::store
