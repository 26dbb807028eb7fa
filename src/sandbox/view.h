// The part of the system that a command in a root file system of its own sees: /usr, an /etc made for it, nothing else.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::sandbox {

// How things get to be seen; `inside` is absolute.
struct View {
  struct Shown {  // a file or directory of the host, read-only
    std::filesystem::path host;
    std::filesystem::path inside;
  };
  struct Link {
    std::string target;
    std::filesystem::path inside;
  };
  struct Made {  // a file that exists nowhere on the host
    std::string content;
    std::filesystem::path inside;
  };
  std::vector<Shown> shown;
  std::vector<Link> links;
  std::vector<Made> made;
};

struct ViewOptions {
  std::filesystem::path root = "/";        // the system to show: the host's, or a stack's
  uid_t user = 0;                          // the build user's uid and gid as seen inside; named "build"
  std::optional<std::string> name_server;  // in place of those in the machine's /etc/resolv.conf
};

// Reads what `root` has; what it lacks is left out. The resolver and host names are always this machine's.
// A root without /usr/bin/env is invalid.
Result<View> make_view(const ViewOptions& options);

// resolv.conf with its name servers replaced by one; everything else stays.
std::string with_name_server(const std::string& resolv_conf, const std::string& server);

}  // namespace hearth::sandbox
