#include <unistd.h>

#include <algorithm>

#include "fetch/fetch.h"
#include "fetch/git_command.h"
#include "fetch/local_repository.h"
#include "util/copy_tree.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_full_sha(std::string_view revision) {
  return (revision.size() == 40 || revision.size() == 64) && is_hex(revision);
}

bool may_be_sha(std::string_view revision) {
  return revision.size() >= 4 && revision.size() <= 64 && is_hex(revision);
}

// A path, where it is neither "scheme://…" nor "user@host:path".
bool is_local(const Reference& reference) {
  return reference.location.starts_with('/') ||
         (!reference.location.contains("://") && !reference.location.contains('@'));
}

fs::path absolute(const fs::path& path) {
  std::error_code ignored;
  return fs::absolute(path, ignored);
}

std::optional<uid_t> owner_of(const GitAccess& access) {
  const uid_t owner = access.sandbox->owner();
  return owner == geteuid() ? std::nullopt : std::optional(owner);
}

// One checkout: a folder with `tree`, whose .git holds what was fetched.
class Fetch {
 public:
  Fetch(const GitAccess& access, const Reference& reference, const GitCommand& git, std::stop_token stop)
      : access_(access), reference_(reference), git_(git), stop_(std::move(stop)) {}

  Result<void> prepare();
  // The full sha of the revision, whose objects are there.
  Result<std::string> get_revision();
  Result<void> check_out(const std::string& sha, Submodules submodules);
  fs::path tree() const { return git_.folder() / "tree"; }

 private:
  Result<std::string> git(const std::vector<std::string>& arguments) const {
    return git_.run(arguments, tree(), protocols_, stop_);
  }
  Result<std::string> resolve(const std::string& name) const;
  Result<std::string> get_from_history() const;
  Result<void> get_submodules();
  Result<void> offer_local_submodules();
  Result<void> remove_git_folders() const;

  const GitAccess& access_;
  const Reference& reference_;
  const GitCommand& git_;
  std::stop_token stop_;
  Protocols protocols_ = Protocols::secure;
};

Result<std::string> Fetch::resolve(const std::string& name) const {
  const std::string sha = TRY(git({"rev-parse", "--verify", "--end-of-options", name + "^{commit}"}));
  return std::string(util::trim(sha));
}

Result<void> Fetch::prepare() {
  std::string origin = reference_.location;
  if (is_local(reference_)) {
    const fs::path copy = git_.folder() / "origin.git";
    TRY(copy_repository(absolute(origin), copy, owner_of(access_), stop_));
    origin = access_.sandbox->inside(copy).string();
    protocols_ = Protocols::secure_and_file;
  } else if (origin.starts_with("http://")) {
    protocols_ = Protocols::secure_and_http;
  }
  TRY(git_.run({"init", "--quiet", "tree"}, git_.folder(), protocols_, stop_));
  TRY(git({"remote", "add", "--", "origin", origin}));
  return {};
}

// Everything that the remote has by a name; slow, and the only way to a commit that it does not hand out by itself.
Result<std::string> Fetch::get_from_history() const {
  TRY(git(
      {"fetch", "--quiet", "--force", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"}));
  const std::string name = reference_.revision.empty() ? "refs/remotes/origin/HEAD" : reference_.revision;
  if (reference_.revision.empty()) TRY(git({"remote", "set-head", "origin", "--auto"}));
  for (const std::string& candidate : {"refs/remotes/origin/" + name, name}) {
    auto sha = resolve(candidate);
    if (sha || sha.error().kind == ErrorKind::cancelled) return sha;
  }
  return fail(ErrorKind::not_found, "no branch, tag or commit '{}'", name);
}

Result<std::string> Fetch::get_revision() {
  const std::string wanted = reference_.revision.empty() ? "HEAD" : reference_.revision;
  const auto shallow = git({"fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", "origin", wanted});
  if (shallow) return resolve("FETCH_HEAD");
  const Error& error = shallow.error();
  // Servers may refuse commits that no ref names, and the oldest ones know no shallow fetch at all.
  const bool worth_more =
      (error.kind == ErrorKind::not_found && may_be_sha(wanted)) || error.message.contains("shallow");
  if (worth_more) return get_from_history();
  if (error.kind == ErrorKind::not_found && error.message.contains("remote ref"))
    return fail(ErrorKind::not_found, "no branch, tag or commit '{}'", wanted);
  return shallow;
}

// Submodules that are checked out in a local repository come from there, under the names of .gitmodules. The others
// must be what an app may name, since files can be reached now.
Result<void> Fetch::offer_local_submodules() {
  const auto copies =
      TRY(copy_submodules(absolute(reference_.location), git_.folder() / "modules", owner_of(access_), stop_));
  for (const auto& [name, copy] : copies) {
    TRY(git({"config", fmt::format("submodule.{}.url", name), access_.sandbox->inside(copy).string()}));
  }
  const std::string urls = TRY(git({"config", "--null", "--get-regexp", R"(^submodule\..*\.url$)"}));
  for (const std::string_view entry : util::split(urls, '\0')) {
    const auto line_feed = entry.find('\n');
    if (line_feed == std::string_view::npos) continue;
    const std::string name(entry.substr(0, line_feed));
    const std::string_view url = entry.substr(line_feed + 1);
    if (copies.contains(name.substr(10, name.size() - 14))) continue;
    const Reference reference = TRY(within("submodules", parse_reference(url, Origin::app_named)));
    if (reference.medium == Medium::directory)
      return fail(ErrorKind::invalid, "submodules: {}: an app may name https://, ssh:// and git@host:path",
                  masked(url));
  }
  return {};
}

// .gitmodules is the app's: it may name https and ssh (http too if the app itself came by it), never a file.
Result<void> Fetch::get_submodules() {
  std::error_code ignored;
  if (!fs::is_regular_file(fs::symlink_status(tree() / ".gitmodules", ignored))) return {};
  const std::vector<std::string> update = {"submodule", "--quiet", "update", "--init", "--force"};
  if (protocols_ == Protocols::secure_and_file) {
    TRY(git({"submodule", "--quiet", "init"}));
    TRY(offer_local_submodules());
    TRY(within("submodules", git(update)));
    protocols_ = Protocols::secure;
  }
  std::vector<std::string> recursive = update;
  recursive.emplace_back("--recursive");
  std::vector<std::string> shallow = recursive;
  shallow.emplace_back("--depth=1");
  if (git(shallow)) return {};
  TRY(within("submodules", git(recursive)));
  return {};
}

// The tree itself cannot hold an entry named .git; whatever has that name is the repository or a submodule's pointer.
Result<void> Fetch::remove_git_folders() const {
  TRY(util::remove_tree(tree() / ".git"));
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator entries(tree(), error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    if (entries->path().filename() == ".git") found.push_back(entries->path());
  }
  if (error) return fail_errno(error.value(), tree().native());
  for (const fs::path& path : found) TRY(util::remove_tree(path));
  return {};
}

Result<void> Fetch::check_out(const std::string& sha, Submodules submodules) {
  TRY(git({"checkout", "--quiet", "--force", "--detach", sha}));
  if (submodules == Submodules::fetch) TRY(get_submodules());
  return remove_git_folders();
}

Result<void> move_tree(const fs::path& from, const fs::path& to, std::optional<uid_t> owner, std::stop_token stop) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(to, error))) return fail(ErrorKind::conflict, "{} is there already", to.native());
  fs::rename(from, to, error);
  if (!error) return {};
  if (error != std::errc::cross_device_link) return fail_errno(error.value(), to.native());
  const util::CopyOptions options{.owner = owner, .mtimes = util::Mtimes::as_stored, .leave_out = {}};
  TRY(util::copy_tree(from, to, options, std::move(stop)));
  return {};
}

Result<Checkout> fetch_and_check_out(const GitAccess& access, const Reference& reference, const fs::path& destination,
                                     Submodules submodules, const std::stop_token& stop) {
  const GitCommand command = TRY(GitCommand::create(access));
  Fetch fetch(access, reference, command, stop);
  TRY(fetch.prepare());
  std::string sha = TRY(fetch.get_revision());
  TRY(fetch.check_out(sha, submodules));
  TRY(move_tree(fetch.tree(), destination, owner_of(access), stop));
  return Checkout{std::move(sha)};
}

std::string description(const Reference& reference) {
  if (reference.revision.empty()) return fmt::format("git repository {}", masked(reference.location));
  return fmt::format("git repository {}#{}", masked(reference.location), reference.revision);
}

// The sha of the first of the names that ls-remote lists; an annotated tag's commit before the tag itself.
std::optional<std::string> listed(std::string_view text, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    for (const std::string_view line : util::split(text, '\n')) {
      const auto tab = line.find('\t');
      if (tab != std::string_view::npos && line.substr(tab + 1) == name) return std::string(line.substr(0, tab));
    }
  }
  return std::nullopt;
}

Result<std::string> ask_remote(const GitAccess& access, const Reference& reference, const std::stop_token& stop) {
  const GitCommand command = TRY(GitCommand::create(access));
  const std::string& name = reference.revision;
  std::vector<std::string> names = {"refs/tags/" + name + "^{}", "refs/tags/" + name, "refs/heads/" + name};
  if (name.empty()) names = {"HEAD"};
  std::string url = reference.location;
  Protocols protocols = url.starts_with("http://") ? Protocols::secure_and_http : Protocols::secure;
  if (is_local(reference)) {
    const fs::path copy = command.folder() / "origin.git";
    TRY(copy_repository(absolute(url), copy, owner_of(access), stop));
    url = access.sandbox->inside(copy).string();
    protocols = Protocols::secure_and_file;
  }
  std::vector<std::string> arguments = {"ls-remote", "--quiet", "--", url};
  arguments.insert(arguments.end(), names.begin(), names.end());
  const std::string output = TRY(command.run(arguments, command.folder(), protocols, stop));
  auto sha = listed(output, names);
  if (!sha) return fail(ErrorKind::not_found, "no branch or tag '{}'", name.empty() ? "HEAD" : name);
  return std::move(*sha);
}

}  // namespace

Result<Checkout> fetch_git(const GitAccess& access, const Reference& reference, const fs::path& destination,
                           Submodules submodules, std::stop_token stop) {
  return within(description(reference), fetch_and_check_out(access, reference, destination, submodules, stop));
}

Result<std::string> remote_revision(const GitAccess& access, const Reference& reference, std::stop_token stop) {
  if (is_full_sha(reference.revision)) return reference.revision;
  return within(description(reference), ask_remote(access, reference, stop));
}

bool is_git(std::string_view path) {
  const std::vector<std::string_view> components = util::split(path, '/');
  return std::ranges::find(components, ".git") != components.end();
}

}  // namespace hearth::fetch
