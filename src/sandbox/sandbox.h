// Runs one command of somebody else's code under limits, in a view of the system that shows it nothing of ours.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "util/error.h"

namespace hearth::sandbox {

// bwrap: namespaces, an own root file system. uid: no namespaces; the command runs as the build uid, and what it must
// not see is protected by ownership (needs root; one build at a time). plain: our own uid; protects nothing.
enum class Level { bwrap, uid, plain };
std::string_view name(Level level);

// on: the internet, but not this machine, its link-local metadata service, or abstract sockets. off: nothing but an own
// loopback. host: the host's network as it is.
enum class Network { on, off, host };
std::string_view name(Network network);

// Per command and everything that it starts.
struct Limits {
  // Processes and threads. The kernel counts those of a user over the whole machine, so what the build uid runs when
  // the command starts is added. Does not hold for root (level plain).
  std::uint64_t processes = 8192;
  std::uint64_t file_bytes = std::uint64_t{20} << 30;  // largest file that can be written
  std::uint64_t open_files = 65536;
  std::chrono::milliseconds grace{5000};  // between TERM and KILL
};

// A host path that is shown, read-only, at another path inside (bwrap); the other levels see it at the host path.
struct Bind {
  std::filesystem::path host;
  std::filesystem::path inside;
};

// The owner() must be able to walk to every host path in it (mode bits of the directories on the way): else invalid.
struct Config {
  std::filesystem::path tmp_dir;  // host directory that is /tmp inside, writable; holds build/, cache/, env/, …
  std::filesystem::path app_dir;  // host directory that is /app (HOME) inside, writable
  std::optional<std::filesystem::path> stack_root;  // a root file system to build in, instead of the host's /usr
  Network network = Network::on;
  // A command's TCP port on 0.0.0.0 that the host reaches at 127.0.0.1 under the same number. In use: invalid.
  std::optional<std::uint16_t> published_port;
  std::vector<Bind> read_only;
  std::vector<Bind> sockets;  // unix sockets offered to the command (an ssh-agent); to be there at run(); owner() must
                              // be allowed to write
  uid_t build_uid = 2000;     // and gid; what root becomes. Ignored where we are not root
  Limits limits;
};

enum class Streams {
  separate,  // stdout and stderr go to their own sinks
  merged,    // both go to the stdout sink, in the order in which they were written
  inherited  // the command has our stdin, stdout and stderr (hearth run)
};

struct Command {
  std::vector<std::string> argv;  // argv[0] is a path inside, or a name looked up on the environment's PATH
  std::vector<std::pair<std::string, std::string>> environment;  // all of it; nothing of ours is added
  std::filesystem::path directory;                               // working directory: a path inside
  Streams streams = Streams::merged;
  std::function<int()> stop_signal = {};  // asked for the signal that a stop sends it; empty: TERM
};

// Receives output as it comes, in pieces as read (any bytes, any length). Called from the thread that called run().
using Sink = std::function<void(std::string_view bytes)>;

struct Exit {
  int code = 0;          // exit code; 128 + signal where a signal ended it
  int signal = 0;        // 0, or the signal; at level bwrap taken from a code above 128, as shells tell it
  bool stopped = false;  // ended because the stop token was triggered
};

class Sandbox {
 public:
  virtual ~Sandbox() = default;

  // Runs the command and waits until it *and every process that it started* are gone; a daemon left behind is killed
  // and does not hold the call up. stdin is /dev/null and there is no controlling terminal, unless inherited.
  // A stop request ends it: TERM (or stop_signal) to the payload, KILL after the grace. Errors are ours (could not
  // start it); an exit ≠ 0 is a result. argv[0] that cannot be executed is Exit{126 or 127}. Not thread-safe: one
  // command at a time.
  virtual Result<Exit> run(const Command& command, const Sink& on_stdout, const Sink& on_stderr,
                           std::stop_token stop) = 0;

  // How the command sees a host path below tmp_dir, app_dir or a bind: /tmp/build, /app, … The other levels than
  // bwrap return the path itself. What the sandbox does not show is returned as it is.
  virtual std::filesystem::path inside(const std::filesystem::path& host) const = 0;

  virtual Level level() const = 0;

  // The uid and gid that own what the command writes, by the host's count. Files made for it are given to these
  // (file_owner).
  virtual uid_t owner() const = 0;

  // One line for the log where something that was asked for could not be had (network isolation, process limits);
  // empty otherwise.
  virtual std::string warning() const = 0;
};

// Whom files that are made for its commands are given to, as uid and gid. Absent where the owner() is who we are: then
// they are his as they are, and a group of another number, which we may not change them to, is no matter.
std::optional<uid_t> file_owner(const Sandbox& sandbox);

// `wanted` absent: the best of bwrap and uid that works here; neither: denied, and the message says why and names
// `--sandbox plain`. A level asked for by name that does not work here is denied. Level uid while another sandbox has
// the build uid: conflict. Network::off that cannot be had is an error, Network::on a warning(). Tries the level out
// (about 50 ms, 100 ms more for Network::on), so keep the sandbox for all commands of a build.
Result<std::unique_ptr<Sandbox>> open(std::optional<Level> wanted, const Config& config);

}  // namespace hearth::sandbox
