// Directories and sandboxes for the tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "sandbox/sandbox.h"
#include "util/file.h"

namespace hearth::sandbox {

// A uid of this test process alone, so that tests can run side by side.
inline uid_t test_uid() {
  return ::geteuid() == 0 ? static_cast<uid_t>(20000 + ::getpid() % 20000) : ::geteuid();
}

// What a build has on the host: a base directory with tmp (with build and cache in it) and app, owned by the build
// user.
class Rooms {
 public:
  explicit Rooms(uid_t user = test_uid())
      : base_(util::TempDir::create(std::filesystem::temp_directory_path(), "hearth-sandbox-").value()), user_(user) {
    ::chmod(base_.path().c_str(), 0711);
    for (const char* name : {"tmp", "tmp/build", "tmp/cache", "app"}) {
      std::filesystem::create_directory(base_.path() / name);
      if (::geteuid() == 0 && ::chown((base_.path() / name).c_str(), user, user) != 0) ADD_FAILURE() << "chown";
    }
  }

  const std::filesystem::path& base() const { return base_.path(); }
  Config config(Network network = Network::host) const {
    Config config;
    config.tmp_dir = base() / "tmp";
    config.app_dir = base() / "app";
    config.network = network;
    config.build_uid = user_;
    config.limits.grace = std::chrono::milliseconds(300);
    return config;
  }

 private:
  util::TempDir base_;
  uid_t user_;
};

struct Ran {
  Exit exit;
  std::string out;
  std::string err;
};

inline Command bash(const std::string& script, Streams streams = Streams::merged) {
  return {{"bash", "-c", script}, {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LC_ALL", "C"}}, "/", streams};
}

inline Ran run(Sandbox& sandbox, const Command& command, std::stop_token stop = {}) {
  Ran ran;
  const Sink out = [&](std::string_view bytes) { ran.out += bytes; };
  const Sink err = [&](std::string_view bytes) { ran.err += bytes; };
  const Result<Exit> exit = sandbox.run(command, out, err, std::move(stop));
  if (!exit) {
    ADD_FAILURE() << exit.error().message;
  } else {
    ran.exit = *exit;
  }
  return ran;
}

inline Ran run(Sandbox& sandbox, const std::string& script) {
  return run(sandbox, bash(script));
}

}  // namespace hearth::sandbox
