#include <unistd.h>

#include "sandbox/bwrap.h"
#include "sandbox/direct.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {

std::string_view name(Level level) {
  switch (level) {
    case Level::bwrap:
      return "bwrap";
    case Level::uid:
      return "uid";
    case Level::plain:
      return "plain";
  }
  return "";
}

std::string_view name(Network network) {
  switch (network) {
    case Network::on:
      return "on";
    case Network::off:
      return "off";
    case Network::host:
      return "host";
  }
  return "";
}

namespace {

// Only a refusal by the system leads to the next level; what is wrong with the configuration is wrong with all.
Result<std::unique_ptr<Sandbox>> open_best(const Config& config) {
  auto bwrap = open_bwrap(config);
  if (bwrap || bwrap.error().kind != ErrorKind::denied) return bwrap;
  auto uid = open_uid(config, bwrap.error().message);
  if (uid || uid.error().kind != ErrorKind::denied) return uid;
  return fail(ErrorKind::denied, "no sandbox can be had here: {}; {}. `--sandbox plain` builds without one",
              bwrap.error().message, uid.error().message);
}

}  // namespace

std::optional<uid_t> file_owner(const Sandbox& sandbox) {
  const uid_t owner = sandbox.owner();
  return owner == ::geteuid() ? std::nullopt : std::optional(owner);
}

Result<std::unique_ptr<Sandbox>> open(std::optional<Level> wanted, const Config& config) {
  // For the system calls the last one is no user, but "as it is": root would stay root.
  if (config.build_uid == 0 || config.build_uid == static_cast<uid_t>(-1)) {
    return fail(ErrorKind::invalid, "{} cannot be the build uid: neither 0 nor {} is an ordinary user",
                config.build_uid, static_cast<uid_t>(-1));
  }
  if (!wanted) return open_best(config);
  switch (*wanted) {
    case Level::bwrap:
      return open_bwrap(config);
    case Level::uid:
      return open_uid(config, {});
    case Level::plain:
      return open_plain(config);
  }
  return fail(ErrorKind::invalid, "no such sandbox level");
}

}  // namespace hearth::sandbox
