#include "fetch/local_repository.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "util/copy_tree.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxRefs = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxPointer = 8192;

bool is_git_directory(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path / "HEAD", ignored) && fs::is_directory(path / "objects", ignored);
}

// What a file of one line ("gitdir: <path>", or a path alone) points to.
Result<fs::path> pointed_to(const fs::path& file) {
  const std::string text = TRY(util::read_file(file, kMaxPointer));
  std::string_view target = util::trim(text);
  if (target.starts_with("gitdir:")) target = util::trim(target.substr(7));
  return file.parent_path() / target;
}

struct Layout {
  fs::path own;     // HEAD
  fs::path common;  // objects, refs: the main repository's, for a worktree
};

Result<Layout> layout_of(const fs::path& path) {
  std::error_code ignored;
  fs::path own = path;
  if (fs::is_regular_file(path / ".git", ignored)) {
    own = TRY(pointed_to(path / ".git"));
  } else if (fs::exists(path / ".git", ignored)) {
    own = path / ".git";
  }
  if (fs::is_regular_file(own / "commondir", ignored)) {
    fs::path common = TRY(pointed_to(own / "commondir"));
    return Layout{own, std::move(common)};
  }
  if (!is_git_directory(own)) return fail(ErrorKind::not_found, "{} is no git repository", path.native());
  return Layout{own, own};
}

// The object format cannot be told from the objects; it is the only line of the configuration that counts.
std::string configuration(const fs::path& common) {
  const auto text = util::read_file(common / "config", std::uint64_t{1} << 20);
  const bool sha256 = text && text->find("objectformat = sha256") != std::string::npos;
  return sha256 ? "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
                : "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
}

Result<void> give(const fs::path& path, std::optional<uid_t> owner) {
  if (owner && chown(path.c_str(), *owner, *owner) != 0) return fail_errno(errno, path.native());
  return {};
}

// The repository may be somebody else's, and what reads it here may read more than they: so no link in it is followed.
Result<util::Fd> open_plain(const fs::path& path, int flags) {
  util::Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags));
  if (fd) return fd;
  if (errno == ELOOP || errno == ENOTDIR) {
    return fail(ErrorKind::invalid, "{} is a link, or no folder; in a repository no link is followed", path.native());
  }
  return fail_errno(errno, path.native());
}

// What is absent is left out.
Result<void> copy_file(const fs::path& from, const fs::path& to, std::optional<uid_t> owner) {
  const Result<util::Fd> file = open_plain(from, 0);
  if (!file && file.error().kind == ErrorKind::not_found) return {};
  if (!file) return std::unexpected(file.error());
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return fail_errno(errno, from.native());
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) > kMaxRefs) {
    return fail(ErrorKind::invalid, "{} is no file of at most {} bytes", from.native(), kMaxRefs);
  }
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  const std::size_t count =
      TRY(within(from.native(), util::read_full(file->get(), std::as_writable_bytes(std::span(bytes)))));
  TRY(util::write_file(to, std::string_view(bytes).substr(0, count)));
  return give(to, owner);
}

Result<void> copy_folder(const fs::path& from, const fs::path& to, const util::CopyOptions& options,
                         const std::stop_token& stop) {
  const Result<util::Fd> folder = open_plain(from, O_DIRECTORY);
  if (!folder && folder.error().kind == ErrorKind::not_found) return {};
  if (!folder) return std::unexpected(folder.error());
  TRY(within(from.native(), util::copy_tree(*folder, to, options, stop)));
  return {};
}

Result<void> copy_git_directory(const Layout& layout, const fs::path& to, std::optional<uid_t> owner,
                                const std::stop_token& stop) {
  std::error_code ignored;
  if (fs::exists(layout.common / "objects/info/alternates", ignored)) {
    return fail(ErrorKind::invalid,
                "{} borrows objects from another repository; run git repack -a -d in it and remove "
                "objects/info/alternates",
                layout.common.native());
  }
  TRY(util::make_directories(to));
  const util::CopyOptions options{.owner = owner, .mtimes = util::Mtimes::as_stored, .leave_out = {}};
  for (const char* name : {"objects", "refs"}) TRY(copy_folder(layout.common / name, to / name, options, stop));
  for (const char* name : {"packed-refs", "shallow"}) TRY(copy_file(layout.common / name, to / name, owner));
  TRY(copy_file(layout.own / "HEAD", to / "HEAD", owner));
  TRY(util::write_file(to / "config", configuration(layout.common)));
  TRY(give(to / "config", owner));
  return give(to, owner);
}

}  // namespace

Result<void> copy_repository(const fs::path& path, const fs::path& to, std::optional<uid_t> owner,
                             std::stop_token stop) {
  const Layout layout = TRY(layout_of(path));
  return copy_git_directory(layout, to, owner, stop);
}

Result<std::map<std::string, fs::path>> copy_submodules(const fs::path& path, const fs::path& to,
                                                        std::optional<uid_t> owner, std::stop_token stop) {
  std::map<std::string, fs::path> copies;
  const Layout layout = TRY(layout_of(path));
  const fs::path modules = layout.common / "modules";
  std::error_code error;
  std::error_code ignored;
  if (fs::is_symlink(modules, ignored)) return copies;
  // A submodule's name may have slashes in it, so its folder may lie deeper.
  fs::recursive_directory_iterator entries(modules, fs::directory_options::skip_permission_denied, error);
  if (error) return copies;
  TRY(util::make_directories(to));
  TRY(give(to, owner));
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (entries->is_symlink(ignored) || !entries->is_directory(ignored) || !is_git_directory(entries->path())) continue;
    entries.disable_recursion_pending();
    const fs::path copy = to / std::to_string(copies.size());
    TRY(copy_git_directory({entries->path(), entries->path()}, copy, owner, stop));
    copies[entries->path().lexically_relative(modules).string()] = copy;
  }
  if (error) return fail_errno(error.value(), modules.native());
  return copies;
}

}  // namespace hearth::fetch
