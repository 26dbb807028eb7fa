#include "fetch/git_command.h"

#include <unistd.h>

#include <map>

#include "util/text.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxOutput = std::size_t{4} << 20;
constexpr std::size_t kMaxErrors = std::size_t{16} << 10;

// It stands in the place of the user's configuration, so that every git process that git starts reads it too.
// A repository fetched into a new one brings no configuration, so filters that .gitattributes names have no program.
// allowAnySHA1InWant is for the copies of local repositories, which are served by ourselves.
constexpr std::string_view kConfiguration = R"([core]
	hooksPath = /dev/null
	fsmonitor = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	askPass = /bin/false
	autocrlf = false
[safe]
	directory = *
[credential]
	helper =
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[advice]
	detachedHead = false
[init]
	defaultBranch = main
[http]
	lowSpeedLimit = 1
	lowSpeedTime = 60
[uploadpack]
	allowAnySHA1InWant = true
)";

std::string_view allowed(Protocols protocols) {
  switch (protocols) {
    case Protocols::secure:
      return "https:ssh";
    case Protocols::secure_and_http:
      return "https:ssh:http";
    case Protocols::secure_and_file:
      return "https:ssh:file";
  }
  return "https";
}

struct Sign {
  std::string_view text;
  ErrorKind kind;
};

// In the order in which they are looked for, in lower case.
constexpr Sign kSigns[] = {
    {"couldn't find remote ref", ErrorKind::not_found},
    {"not our ref", ErrorKind::not_found},
    {"unadvertised object", ErrorKind::not_found},
    {"could not resolve", ErrorKind::unavailable},
    {"host key verification failed", ErrorKind::denied},
    {"permission denied", ErrorKind::denied},
    {"authentication failed", ErrorKind::denied},
    {"could not read username", ErrorKind::denied},
    {"could not read password", ErrorKind::denied},
    {"returned error: 401", ErrorKind::denied},
    {"returned error: 403", ErrorKind::denied},
    {"not allowed", ErrorKind::denied},
    {"no space left", ErrorKind::io},
    {"not found", ErrorKind::not_found},
    {"does not appear to be a git repository", ErrorKind::not_found},
    {"does not exist", ErrorKind::not_found},
};

// "fatal: …" and "error: …" say more than the advice that follows them.
std::string_view telling_line(std::string_view text) {
  std::string_view last;
  std::string_view fatal;
  for (std::string_view line : util::split(text, '\n')) {
    line = util::trim(line.substr(line.rfind('\r', line.size() < 2 ? 0 : line.size() - 2) + 1));
    if (line.empty()) continue;
    last = line;
    for (const std::string_view prefix : {"fatal: ", "error: ", "ERROR: "}) {
      if (line.starts_with(prefix)) fatal = line.substr(prefix.size());
    }
  }
  return fatal.empty() ? last : fatal;
}

}  // namespace

Error read_failure(std::string_view stderr_text) {
  const std::string text = util::lower(stderr_text);
  // ssh's own words come before git's, and say nothing of what to do. Level bwrap has an /etc/passwd of its own.
  if (text.contains("no user exists for uid")) {
    return {ErrorKind::denied,
            "ssh refuses a user without an account: make one for the build user (useradd --uid), or name a user that "
            "has one with --build-uid"};
  }
  Error error{ErrorKind::unavailable, masked(telling_line(stderr_text))};
  for (const Sign& sign : kSigns) {
    if (!text.contains(sign.text)) continue;
    error.kind = sign.kind;
    break;
  }
  if (error.message.empty()) error.message = "git failed and said nothing";
  return error;
}

Result<GitCommand> GitCommand::create(const GitAccess& access) {
  TRY(util::make_directories(access.scratch));
  GitCommand command(access, TRY(util::TempDir::create(access.scratch, "git-")));
  const fs::path& folder = command.folder();
  TRY(util::write_file(folder / "gitconfig", kConfiguration));
  TRY(util::make_directories(folder / "home"));
  const uid_t owner = access.sandbox->owner();
  for (const fs::path& path : {folder / "home", folder}) {
    if (owner != geteuid() && chown(path.c_str(), owner, owner) != 0) return fail_errno(errno, path.native());
  }
  return command;
}

Result<std::string> GitCommand::run(const std::vector<std::string>& arguments, const fs::path& directory,
                                    Protocols protocols, std::stop_token stop) const {
  const fs::path inside = access_->sandbox->inside(folder());
  std::map<std::string, std::string> environment = {
      {"HOME", (inside / "home").string()},
      {"XDG_CONFIG_HOME", (inside / "home").string()},
      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
      {"LANG", "C.UTF-8"},
      {"LANGUAGE", "en"},
      {"GIT_SSH_COMMAND", "ssh -o BatchMode=yes"},
  };
  for (const auto& [name, value] : access_->environment) environment[name] = value;
  environment["GIT_CONFIG_NOSYSTEM"] = "1";
  environment["GIT_CONFIG_GLOBAL"] = (inside / "gitconfig").string();
  environment["GIT_ATTR_NOSYSTEM"] = "1";
  environment["GIT_TERMINAL_PROMPT"] = "0";
  environment["GIT_ASKPASS"] = "/bin/false";
  environment["SSH_ASKPASS"] = "/bin/false";
  environment["GIT_TEMPLATE_DIR"] = (inside / "home").string();
  environment["GIT_CEILING_DIRECTORIES"] = inside.string();
  environment["GIT_ALLOW_PROTOCOL"] = allowed(protocols);
  environment["GIT_LFS_SKIP_SMUDGE"] = "1";

  sandbox::Command command{.argv = {"git"},
                           .environment = {environment.begin(), environment.end()},
                           .directory = access_->sandbox->inside(directory),
                           .streams = sandbox::Streams::separate};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  std::string output;
  std::string errors;
  const auto keep_output = [&](std::string_view bytes) { output += bytes.substr(0, kMaxOutput - output.size()); };
  const auto keep_errors = [&](std::string_view bytes) {
    errors += bytes;
    if (errors.size() > 2 * kMaxErrors) errors.erase(0, errors.size() - kMaxErrors);
  };
  const sandbox::Exit exit = TRY(access_->sandbox->run(command, keep_output, keep_errors, stop));
  if (exit.stopped) return fail(ErrorKind::cancelled, "git was stopped");
  if (exit.code == 126 || exit.code == 127) return fail(ErrorKind::io, "git could not be run: is it installed?");
  if (exit.signal != 0) return fail(ErrorKind::io, "git was ended by signal {}", exit.signal);
  if (exit.code != 0) return std::unexpected(read_failure(errors));
  return output;
}

}  // namespace hearth::fetch
