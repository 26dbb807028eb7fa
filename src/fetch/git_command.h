// Runs git in the sandbox with an environment and a configuration of our own, and reads its failures.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fetch/fetch.h"
#include "util/file.h"

namespace hearth::fetch {

// What a URL may make git do beyond https and ssh.
enum class Protocols { secure, secure_and_http, secure_and_file };

// A failure by what git printed: the kind, and its last line that says something, masked.
Error read_failure(std::string_view stderr_text);

// A folder of its own below the scratch directory, given to the sandbox's owner, with the only configuration that git
// reads. Removed with everything in it by the destructor.
class GitCommand {
 public:
  static Result<GitCommand> create(const GitAccess& access);

  // The folder, as we see it; what git is to find in it must belong to the sandbox's owner.
  const std::filesystem::path& folder() const { return folder_.path(); }

  // git's standard output (at most 4 MiB). `directory` is a host path in the folder. An exit ≠ 0 is the failure that
  // read_failure() makes of it.
  Result<std::string> run(const std::vector<std::string>& arguments, const std::filesystem::path& directory,
                          Protocols protocols, std::stop_token stop) const;

 private:
  GitCommand(const GitAccess& access, util::TempDir folder) : access_(&access), folder_(std::move(folder)) {}

  const GitAccess* access_;
  util::TempDir folder_;
};

}  // namespace hearth::fetch
