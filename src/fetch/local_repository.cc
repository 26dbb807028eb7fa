#include "fetch/local_repository.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <span>
#include <vector>

#include "util/copy_tree.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxRefs = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxPointer = 8192;
constexpr std::uint64_t kMaxConfiguration = std::uint64_t{1} << 20;
constexpr const char* kGit = ".git";
constexpr const char* kCommon = "commondir";
// In how many folders a submodule's may lie: each that is looked into is open meanwhile.
constexpr int kDeepestName = 32;

// A folder of the repository. What is in it is reached by the descriptor: its owner may put a link in the path's place.
struct Folder {
  util::Fd fd;
  fs::path path;  // for messages, and for the copy's
};

struct Layout {
  Folder own;                  // HEAD
  std::optional<Folder> main;  // of a worktree: the main repository
  // objects, refs
  const Folder& common() const { return main ? *main : own; }
};

// What stands at this name itself, be it a link; absent if nothing does.
std::optional<struct stat> status_of(const Folder& folder, const char* name) {
  struct stat status{};
  if (::fstatat(folder.fd.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

std::unexpected<Error> no_repository(const fs::path& path) {
  return fail(ErrorKind::not_found, "{} is no git repository", path.native());
}

// A link there is refused when it is opened, with its name.
bool is_git_directory(const Folder& folder) {
  const auto head = status_of(folder, "HEAD");
  const auto objects = status_of(folder, "objects");
  return head && (S_ISREG(head->st_mode) || S_ISLNK(head->st_mode)) && objects &&
         (S_ISDIR(objects->st_mode) || S_ISLNK(objects->st_mode));
}

// The repository may be somebody else's, and what reads it here may read more than they: so no link in it is followed.
Result<util::Fd> open_plain(const Folder& in, const std::string& name, int flags) {
  util::Fd fd(::openat(in.fd.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags));
  if (fd) return fd;
  const int code = errno;
  const fs::path path = in.path / name;
  if (code == ELOOP || code == ENOTDIR) {
    return fail(ErrorKind::invalid, "{} is a link, or no folder; in a repository no link is followed", path.native());
  }
  return fail_errno(code, path.native());
}

struct PlainFile {
  std::string bytes;
  uid_t owner = 0;
};

Result<PlainFile> read_plain(const Folder& in, const std::string& name, std::uint64_t limit) {
  const util::Fd file = TRY(open_plain(in, name, 0));
  const fs::path path = in.path / name;
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, path.native());
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) > limit) {
    return fail(ErrorKind::invalid, "{} is no file of at most {} bytes", path.native(), limit);
  }
  PlainFile plain{.bytes = std::string(static_cast<std::size_t>(status.st_size), '\0'), .owner = status.st_uid};
  const std::size_t count =
      TRY(within(path.native(), util::read_full(file.get(), std::as_writable_bytes(std::span(plain.bytes)))));
  plain.bytes.resize(count);
  return plain;
}

// Whoever owns a pointer, or the folder that it lies in, may have made it point there. To root every folder is open: so
// they, unless they are root, may only name what is theirs. Of everyone else the kernel asks what they may read.
Result<void> check_pointer(const Folder& holder, const char* name, uid_t owner, const Folder& target) {
  if (::geteuid() != 0) return {};
  struct stat folder{};
  struct stat reached{};
  if (::fstat(holder.fd.get(), &folder) != 0) return fail_errno(errno, holder.path.native());
  if (::fstat(target.fd.get(), &reached) != 0) return fail_errno(errno, target.path.native());
  for (const uid_t by : {owner, folder.st_uid}) {
    if (by == 0 || by == reached.st_uid) continue;
    return fail(ErrorKind::invalid,
                "{} is in the hands of uid {}, and leads to a folder of uid {}, where root does not follow it: clone "
                "the repository as uid {} (git clone) and build the clone, or let them run hearth",
                (holder.path / name).native(), by, reached.st_uid, by);
  }
  return {};
}

// The folder that an entry of `holder`, of this owner, leads to.
Result<Folder> follow(const Folder& holder, const char* name, uid_t owner, const fs::path& to) {
  util::Fd fd(::openat(holder.fd.get(), to.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) {
    const int code = errno == ENOTDIR ? ENOENT : errno;  // a file is no repository either
    return fail_errno(code, fmt::format("{} leads to {}", (holder.path / name).native(), to.native()));
  }
  Folder target{.fd = std::move(fd), .path = holder.path / to};
  // Of what was opened, wherever the path leads by now.
  TRY(check_pointer(holder, name, owner, target));
  return target;
}

// What a file of one line ("gitdir: <path>", or a path alone) points to.
Result<Folder> pointed_to(const Folder& holder, const char* name) {
  const PlainFile file = TRY(read_plain(holder, name, kMaxPointer));
  std::string_view target = util::trim(file.bytes);
  if (target.starts_with("gitdir:")) target = util::trim(target.substr(7));
  return follow(holder, name, file.owner, target);
}

Result<Folder> git_directory_of(Folder folder) {
  const auto git = status_of(folder, kGit);
  if (!git) return folder;
  if (S_ISREG(git->st_mode)) return pointed_to(folder, kGit);
  if (S_ISLNK(git->st_mode)) return follow(folder, kGit, git->st_uid, kGit);
  util::Fd fd = TRY(open_plain(folder, kGit, O_PATH | O_DIRECTORY));
  return Folder{.fd = std::move(fd), .path = folder.path / kGit};
}

Result<Layout> layout_of(const fs::path& path) {
  // The operator's word, and may be a link.
  util::Fd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno == ENOTDIR ? no_repository(path) : fail_errno(errno, path.native());
  Folder own = TRY(git_directory_of({.fd = std::move(fd), .path = path}));
  const auto common = status_of(own, kCommon);
  if (common && !S_ISDIR(common->st_mode)) {
    Folder main = TRY(pointed_to(own, kCommon));
    return Layout{.own = std::move(own), .main = std::move(main)};
  }
  if (!is_git_directory(own)) return no_repository(path);
  return Layout{.own = std::move(own), .main = std::nullopt};
}

// The object format cannot be told from the objects; it is the only line of the configuration that counts.
std::string configuration(const Folder& common) {
  const auto file = read_plain(common, "config", kMaxConfiguration);
  const bool sha256 = file && file->bytes.contains("objectformat = sha256");
  return sha256 ? "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
                : "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
}

Result<void> give(const fs::path& path, std::optional<uid_t> owner) {
  if (owner && chown(path.c_str(), *owner, *owner) != 0) return fail_errno(errno, path.native());
  return {};
}

// What is absent is left out.
Result<void> copy_file(const Folder& from, const std::string& name, const fs::path& to, std::optional<uid_t> owner) {
  const Result<PlainFile> file = read_plain(from, name, kMaxRefs);
  if (!file && file.error().kind == ErrorKind::not_found) return {};
  if (!file) return std::unexpected(file.error());
  TRY(util::write_file(to / name, file->bytes));
  return give(to / name, owner);
}

Result<void> copy_folder(const Folder& from, const std::string& name, const fs::path& to,
                         const util::CopyOptions& options, const std::stop_token& stop) {
  const Result<util::Fd> folder = open_plain(from, name, O_DIRECTORY);
  if (!folder && folder.error().kind == ErrorKind::not_found) return {};
  if (!folder) return std::unexpected(folder.error());
  TRY(within((from.path / name).native(), util::copy_tree(*folder, to / name, options, stop)));
  return {};
}

Result<void> copy_git_directory(const Folder& own, const Folder& common, const fs::path& to, std::optional<uid_t> owner,
                                const std::stop_token& stop) {
  if (status_of(common, "objects/info/alternates")) {
    return fail(ErrorKind::invalid,
                "{} borrows objects from another repository; run git repack -a -d in it and remove "
                "objects/info/alternates",
                common.path.native());
  }
  TRY(util::make_directories(to));
  const util::CopyOptions options{.owner = owner, .mtimes = util::Mtimes::as_stored, .leave_out = {}};
  for (const char* name : {"objects", "refs"}) TRY(copy_folder(common, name, to, options, stop));
  for (const char* name : {"packed-refs", "shallow"}) TRY(copy_file(common, name, to, owner));
  TRY(copy_file(own, "HEAD", to, owner));
  TRY(util::write_file(to / "config", configuration(common)));
  TRY(give(to / "config", owner));
  return give(to, owner);
}

Result<std::vector<std::string>> names_in(const Folder& folder) {
  util::Fd again(::openat(folder.fd.get(), ".", util::kDirectoryFlags));
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(again ? ::fdopendir(again.get()) : nullptr,
                                                            close_directory);
  if (!dir) return fail_errno(errno, folder.path.native());
  again.release();
  std::vector<std::string> names;
  while (const dirent* each = ::readdir(dir.get())) {
    const std::string_view name = each->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

// The repositories below a folder, by their paths in it.
class ModuleCopies {
 public:
  ModuleCopies(fs::path to, std::optional<uid_t> owner, std::stop_token stop)
      : to_(std::move(to)), owner_(owner), stop_(std::move(stop)) {}

  // A submodule's name may have slashes in it, so its folder may lie deeper.
  Result<void> copy_below(const Folder& folder, const fs::path& relative, int depth) {
    const std::vector<std::string> names = TRY(names_in(folder));
    for (const std::string& name : names) {
      util::Fd fd(::openat(folder.fd.get(), name.c_str(), util::kDirectoryFlags));
      const int code = fd ? 0 : errno;
      // A file or a link is none, nor is what we may not read.
      if (code == ENOTDIR || code == ELOOP || code == EACCES || code == ENOENT) continue;
      const Folder below{.fd = std::move(fd), .path = folder.path / name};
      if (code != 0) return fail_errno(code, below.path.native());
      if (is_git_directory(below)) {
        const fs::path copy = to_ / std::to_string(copies_.size());
        TRY(copy_git_directory(below, below, copy, owner_, stop_));
        copies_[(relative / name).string()] = copy;
      } else if (depth < kDeepestName) {
        TRY(copy_below(below, relative / name, depth + 1));
      }
    }
    return {};
  }

  std::map<std::string, fs::path> value() && { return std::move(copies_); }

 private:
  const fs::path to_;
  const std::optional<uid_t> owner_;
  const std::stop_token stop_;
  std::map<std::string, fs::path> copies_;
};

}  // namespace

Result<void> copy_repository(const fs::path& path, const fs::path& to, std::optional<uid_t> owner,
                             std::stop_token stop) {
  const Layout layout = TRY(layout_of(path));
  return copy_git_directory(layout.own, layout.common(), to, owner, stop);
}

Result<std::map<std::string, fs::path>> copy_submodules(const fs::path& path, const fs::path& to,
                                                        std::optional<uid_t> owner, std::stop_token stop) {
  const Layout layout = TRY(layout_of(path));
  const Folder modules{.fd = util::Fd(::openat(layout.common().fd.get(), "modules", util::kDirectoryFlags)),
                       .path = layout.common().path / "modules"};
  if (!modules.fd) return std::map<std::string, fs::path>();
  TRY(util::make_directories(to));
  TRY(give(to, owner));
  ModuleCopies copies(to, owner, std::move(stop));
  TRY(copies.copy_below(modules, "", 0));
  return std::move(copies).value();
}

}  // namespace hearth::fetch
