// Brings a tree here: a git checkout, an unpacked tarball.
#pragma once

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "fetch/reference.h"
#include "sandbox/sandbox.h"
#include "util/error.h"
#include "util/unpack.h"

namespace hearth::fetch {

// True for ".git", at any depth, and for what lies below it; for copies and archives that leave it out.
bool is_git(std::string_view path);

// How git is run: unprivileged, in a sandbox of its own, with nothing but this environment.
struct GitAccess {
  sandbox::Sandbox* sandbox = nullptr;  // its tmp_dir holds `scratch`; needs the network, and no bind of its own
  std::filesystem::path scratch;        // host directory below the sandbox's tmp_dir; made if it is absent
  std::vector<std::pair<std::string, std::string>> environment;  // SSH_AUTH_SOCK, GIT_SSH_COMMAND, proxies, CA files
};

struct Checkout {
  std::string revision;  // full sha of git; SHA-256 of a tarball
};

enum class Submodules { leave, fetch };

// Checks the reference out into the new directory `destination`, without .git. Shallow first; the full history only
// where the server does not give the revision otherwise. A revision that does not exist is not_found, an unreachable
// remote unavailable; the message names the masked URL, and git's own last line.
// The repository's own configuration, hooks, filters and attributes-driven programs are not obeyed. Everything in
// `destination` belongs to the sandbox's owner, and has the time of the checkout.
// A local repository's objects and refs are copied for git first, so that it may be one that the build user cannot
// read; its submodules come from where they are checked out in it. Other submodules may name https and ssh only (and
// http, where the reference does).
Result<Checkout> fetch_git(const GitAccess& access, const Reference& reference,
                           const std::filesystem::path& destination, Submodules submodules, std::stop_token stop);

// The full sha that the remote's branch, tag or (without revision) HEAD stands at now; a full sha is returned as it is,
// unasked. What is neither branch nor tag is not_found, and may still be an abbreviated sha.
Result<std::string> remote_revision(const GitAccess& access, const Reference& reference, std::stop_token stop);

// Downloads and unpacks into the new directory `destination`; a sole top folder is treated as the options say.
Result<Checkout> fetch_tarball(const Reference& reference, const std::filesystem::path& destination,
                               const util::UnpackOptions& options, std::stop_token stop);

}  // namespace hearth::fetch
