// The app's SSH key, usable by its builds without their ever seeing it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "sandbox/process.h"
#include "util/error.h"

namespace hearth::build {

// An ssh-agent that runs outside of the sandbox, as the user whose commands will ask it (an agent answers nobody
// else), and dies with this object, or with the thread that started it.
class SshAgent {
 public:
  // `key`: base64 of a private key without a passphrase, or the key itself. `directory` belongs to `user` and to nobody
  // else. A key that cannot be used is invalid.
  static Result<SshAgent> start(std::string_view key, const std::filesystem::path& directory, uid_t user);

 private:
  explicit SshAgent(sandbox::Child child) : child_(std::move(child)) {}
  sandbox::Child child_;
};

// Where an agent started in `directory` listens.
std::filesystem::path agent_socket(const std::filesystem::path& directory);

// The known-hosts file of a build, in its /tmp.
inline constexpr const char* kKnownHostsFile = "ssh_known_hosts";

// GIT_SSH_COMMAND for a known-hosts file at this path inside the sandbox. With hosts given, only these are spoken to;
// without, a host's key is accepted at the first contact (the file lives as long as the build).
enum class KnownHosts { given, none };
std::string ssh_command(const std::filesystem::path& file, KnownHosts known_hosts);

}  // namespace hearth::build
