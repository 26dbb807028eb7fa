#include "build/ssh_agent.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <vector>

#include "util/file.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSocket = "ssh-agent";
constexpr int kPollMilliseconds = 5;
constexpr std::chrono::seconds kStartLimit(5);

Result<std::string> decoded(std::string_view key) {
  constexpr std::string_view kPlain = "-----BEGIN";
  if (util::trim(key).starts_with(kPlain)) return std::string(util::trim(key)) + "\n";
  const auto decoded = util::from_base64(key);
  const std::string bytes = decoded ? std::string(reinterpret_cast<const char*>(decoded->data()), decoded->size()) : "";
  if (!bytes.starts_with(kPlain)) return fail(ErrorKind::invalid, "SSH_KEY is not the base64 form of a private key");
  return bytes.ends_with('\n') ? bytes : bytes + "\n";
}

Result<sandbox::Child> launch(std::vector<std::string> argv, const fs::path& directory, uid_t user, int input) {
  const std::optional<std::string> program = sandbox::find_program(argv.front());
  if (!program) return fail(ErrorKind::io, "{} was not found: install openssh-client to use SSH_KEY", argv.front());
  sandbox::Launch plan;
  plan.programs = {*program};
  plan.argv = std::move(argv);
  // A relative path: an absolute one may be longer than a socket's address can be.
  plan.environment = {"PATH=/usr/bin:/bin", fmt::format("SSH_AUTH_SOCK={}", kSocket)};
  plan.directory = directory;
  plan.standard[0] = input;
  if (::geteuid() == 0 && user != 0) plan.identity = user;
  // ssh-agent belongs to a group of its own (setgid), and a program that gains rights is not killed with its parent.
  plan.privileges = sandbox::Privileges::no_new;
  plan.death = sandbox::Death::with_parent;
  return within("starting " + plan.argv.front(), sandbox::start(plan));
}

// Whether somebody takes connections at the socket in this directory: one that is only bound is there, and refuses
// them.
bool listens(const util::Fd& directory) {
  const util::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The whole path may be longer than an address can be.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), kSocket);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// It listens, or the agent is gone.
bool await_agent(const util::Fd& directory, const sandbox::Child& agent) {
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < deadline) {
    if (listens(directory)) return true;
    pollfd ended{.fd = agent.ended(), .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, kPollMilliseconds) > 0) return false;
  }
  return false;
}

// The key goes through a pipe; it is on no command line and in no file.
Result<void> add_key(const std::string& key, const fs::path& directory, uid_t user) {
  sandbox::Pipe pipe = TRY(sandbox::make_pipe());
  // Large enough for every key, so that the write below never waits for a reader that died.
  ::fcntl(pipe.write.get(), F_SETPIPE_SZ, static_cast<int>(key.size()));
  sandbox::Child child = TRY(launch({"ssh-add", "-q", "-"}, directory, user, pipe.read.get()));
  const Result<void> written = util::write_full(pipe.write.get(), key);
  pipe.write.close();
  const int status = child.wait();
  if (written && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorKind::invalid, "SSH_KEY cannot be used: expected a private key without a passphrase, in base64");
}

}  // namespace

fs::path agent_socket(const fs::path& directory) {
  return directory / kSocket;
}

std::string ssh_command(const fs::path& file, KnownHosts known_hosts) {
  return fmt::format(
      "ssh -o BatchMode=yes -o UserKnownHostsFile={} -o GlobalKnownHostsFile=/dev/null "
      "-o StrictHostKeyChecking={} -o ConnectTimeout=30",
      file.native(), known_hosts == KnownHosts::given ? "yes" : "accept-new");
}

Result<SshAgent> SshAgent::start(std::string_view key, const fs::path& directory, uid_t user) {
  constexpr std::size_t kLargestKey = std::size_t{60} << 10;
  if (key.size() > kLargestKey) return fail(ErrorKind::invalid, "SSH_KEY is too large for a key");
  const std::string plain = TRY(decoded(key));
  const util::Fd place = TRY(util::open_file(directory, util::kDirectoryFlags));
  sandbox::Child child = TRY(launch({"ssh-agent", "-D", "-a", kSocket}, directory, user, -1));
  if (!await_agent(place, child)) {
    return fail(ErrorKind::io, "ssh-agent did not start: is the package openssh-client installed?");
  }
  TRY(add_key(plain, directory, user));
  return SshAgent(std::move(child));
}

}  // namespace hearth::build
