#include "store/local_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "util/beneath.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX of Linux' file systems
constexpr int kRaces = 64;                 // more removals of one folder in a row are no accident

constexpr int kFolder = O_PATH | O_DIRECTORY;

// 0, or errno.
int move_to(const util::Fd& from, const std::string& name, const Place& place) {
  const util::Fd folder = open_at(place.folder(), kFolder);
  return folder && ::renameat(from.get(), name.c_str(), folder.get(), place.name().c_str()) == 0 ? 0 : errno;
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

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

class Walk {
 public:
  explicit Walk(const TreeVisitor& visit) : visit_(visit) {}

  // `stem` is what the keys in this folder begin with.
  Result<void> below(util::Fd folder, const fs::path& path, const std::string& stem) {
    const Directory directory(::fdopendir(folder.get()));
    if (!directory) return refused(errno, fmt::format("listing {}", path.native()));
    folder.release();
    const std::vector<std::string> names = TRY(names_in(directory.get(), path));
    for (const std::string& name : names) {
      const bool is_folder = name.ends_with('/');
      if (stem.empty() && is_folder && name.starts_with(kOwnFolder) && name.size() == kOwnFolder.size() + 1) continue;
      const std::string plain = is_folder ? name.substr(0, name.size() - 1) : name;
      auto key = Key::parse(stem + plain);
      if (!key) continue;  // not ours: no object has such a name
      TRY(is_folder ? enter(directory.get(), plain, path, stem + name)
                    : visit(directory.get(), plain, path, *std::move(key)));
    }
    return {};
  }

 private:
  Result<void> enter(DIR* parent, const std::string& name, const fs::path& path, const std::string& stem) {
    util::Fd folder(::openat(::dirfd(parent), name.c_str(), util::kDirectoryFlags));
    if (folder) return below(std::move(folder), path / name, stem);
    if (means_absent(errno)) return {};
    return refused(errno, fmt::format("listing {}", (path / name).native()));
  }

  Result<void> visit(DIR* parent, const std::string& name, const fs::path& path, Key key) {
    struct stat status{};
    if (::fstatat(::dirfd(parent), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (means_absent(errno)) return {};
      return refused(errno, fmt::format("examining {}", (path / name).native()));
    }
    return S_ISREG(status.st_mode) ? visit_(std::move(key), status) : Result<void>();
  }

  static unsigned char type_of(DIR* parent, const dirent& entry) {
    if (entry.d_type != DT_UNKNOWN) return entry.d_type;
    struct stat status{};
    if (::fstatat(::dirfd(parent), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
    return static_cast<unsigned char>(IFTODT(status.st_mode));
  }

  // Folders come with a '/' at the end, and are sorted with it: the order of the keys below them.
  static Result<std::vector<std::string>> names_in(DIR* directory, const fs::path& path) {
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* const entry = ::readdir(directory);
      if (entry == nullptr) break;
      const std::string name = entry->d_name;
      const unsigned char type = type_of(directory, *entry);
      if (type == DT_DIR && name != "." && name != "..") names.push_back(name + '/');
      if (type == DT_REG) names.push_back(name);
    }
    if (errno != 0 && !means_absent(errno)) return refused(errno, fmt::format("listing {}", path.native()));
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

Place Place::folder() const {
  const std::size_t slash = below.rfind('/');
  return {.root = root, .below = slash == std::string::npos ? std::string() : below.substr(0, slash)};
}

std::string Place::name() const {
  return below.substr(below.rfind('/') + 1);  // npos + 1 is 0
}

Result<Place> place_of(const fs::path& root, const Key& key) {
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
  return Place{.root = root, .below = std::string(text)};
}

util::Fd open_at(const Place& place, int flags) {
  if (place.below.empty()) return util::Fd(::open(place.root.c_str(), flags | O_CLOEXEC));
  const util::Fd root(::open(place.root.c_str(), kFolder | O_CLOEXEC));
  if (!root) return {};
  return util::open_beneath(root.get(), place.below, flags, util::Links::none);
}

int make_folders(const Place& folder) {
  util::Fd here = open_at({.root = folder.root, .below = {}}, kFolder);
  if (!here) return errno;
  for (const std::string_view segment : util::split(folder.below, '/')) {
    const std::string name(segment);
    if (name.empty()) continue;  // the root
    if (::mkdirat(here.get(), name.c_str(), 0700) != 0 && errno != EEXIST) return errno;
    here = util::Fd(::openat(here.get(), name.c_str(), kFolder | O_NOFOLLOW | O_CLOEXEC));
    if (!here) return errno;
  }
  return 0;
}

util::Fd create_at(const Place& place, int flags) {
  const util::Fd folder = open_at(place.folder(), kFolder);
  if (!folder) return {};
  return util::Fd(::openat(folder.get(), place.name().c_str(), flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
}

bool means_absent(int code) {
  return code == ENOENT || code == ENOTDIR || code == ELOOP;
}

Result<std::optional<struct stat>> examine(const Place& place) {
  struct stat status{};
  const util::Fd file = open_at(place, O_PATH | O_NOFOLLOW);
  if (!file && means_absent(errno)) return std::nullopt;
  if (!file || ::fstat(file.get(), &status) != 0) {
    return refused(errno, fmt::format("examining {}", place.path().native()));
  }
  return S_ISREG(status.st_mode) ? std::optional(status) : std::nullopt;
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

Result<void> move_into_place(const util::Fd& folder, const std::string& name, const Place& place) {
  const std::string path = place.path().native();
  int code = 0;
  for (int race = 0; race < kRaces; ++race) {
    code = move_to(folder, name, place);
    if (code == 0) return {};
    if (code == ENOENT) {
      code = make_folders(place.folder());
      if (code == 0 || code == ENOENT) continue;
    }
    if (code == EISDIR && race == 0) {
      remove_empty_tree(path);
      continue;
    }
    break;
  }
  if (code == 0 || code == ENOENT) {
    return fail(ErrorKind::io, "creating {}: its folder, or the draft {}, is removed again and again", path, name);
  }
  if (code == EISDIR) {
    return fail(ErrorKind::invalid, "{} is a folder with objects: a store of files has no object above others", path);
  }
  if (code == ENOTDIR) {
    return fail(ErrorKind::invalid, "{} would lie below an object: a store of files has no object above others", path);
  }
  if (code == ELOOP) {
    return fail(ErrorKind::invalid, "{} would lie behind a symbolic link: below its root a store of files has none",
                path);
  }
  return refused(code, fmt::format("creating {}", path));
}

Result<void> remove_file(const Place& place) {
  const util::Fd folder = open_at(place.folder(), kFolder);
  if (folder && ::unlinkat(folder.get(), place.name().c_str(), 0) == 0) return {};
  if (means_absent(errno) || errno == EISDIR) return {};
  return refused(errno, fmt::format("removing {}", place.path().native()));
}

void remove_empty_folders(Place folder) {
  for (; !folder.below.empty(); folder = folder.folder()) {
    const util::Fd parent = open_at(folder.folder(), kFolder);
    if (!parent || ::unlinkat(parent.get(), folder.name().c_str(), AT_REMOVEDIR) != 0) return;
  }
}

Result<void> FolderSync::sync(Place folder) {
  std::vector<Identity> synced;
  while (true) {
    const util::Fd fd = open_at(folder, O_RDONLY | O_DIRECTORY);
    if (!fd || ::fsync(fd.get()) != 0) return fail_errno(errno, fmt::format("fsync of {}", folder.path().native()));
    if (folder.below.empty()) break;
    const std::optional<Identity> identity = identify(fd);
    if (identity && knows(*identity)) break;
    if (identity) synced.push_back(*identity);
    folder = folder.folder();
  }
  const std::lock_guard lock(mutex_);
  durable_.insert(synced.begin(), synced.end());
  return {};
}

void FolderSync::forget() {
  const std::lock_guard lock(mutex_);
  durable_.clear();
}

std::optional<FolderSync::Identity> FolderSync::identify(const util::Fd& folder) {
  struct statx status{};
  constexpr unsigned kWanted = STATX_INO | STATX_BTIME;
  if (::statx(folder.get(), "", AT_EMPTY_PATH, kWanted, &status) != 0 || (status.stx_mask & kWanted) != kWanted) {
    return std::nullopt;
  }
  return Identity{status.stx_ino, status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec};
}

bool FolderSync::knows(const Identity& folder) {
  const std::lock_guard lock(mutex_);
  return durable_.contains(folder);
}

Result<void> for_each_object(const fs::path& root, const Prefix& prefix, const TreeVisitor& visit) {
  std::string below = prefix.text();
  if (below.ends_with('/')) below.pop_back();
  const Place place{.root = root, .below = std::move(below)};
  util::Fd folder = open_at(place, O_RDONLY | O_DIRECTORY);
  if (!folder && means_absent(errno)) return {};
  if (!folder) return refused(errno, fmt::format("listing {}", place.path().native()));
  Walk walk(visit);
  return walk.below(std::move(folder), place.path(), prefix.text());
}

}  // namespace hearth::store
