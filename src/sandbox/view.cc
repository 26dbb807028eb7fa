#include "sandbox/view.h"

#include <algorithm>
#include <array>

#include "util/file.h"
#include "util/text.h"

namespace hearth::sandbox {

namespace fs = std::filesystem;

namespace {

// Beside /usr. On merged systems these are links into it.
constexpr std::array kTop{"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

// What tools read of /etc and what holds no secret of this machine. Not among them: apt.conf.d (it may name programs
// and proxies with passwords), gitconfig, ssh.
constexpr std::array kEtc{"alternatives",
                          "apt/keyrings",
                          "apt/preferences",
                          "apt/preferences.d",
                          "apt/sources.list",
                          "apt/sources.list.d",
                          "apt/trusted.gpg",
                          "apt/trusted.gpg.d",
                          "bash.bashrc",
                          "ca-certificates",
                          "ca-certificates.conf",
                          "crypto-policies",
                          "debian_version",
                          "fonts",
                          "gai.conf",
                          "ld.so.cache",
                          "ld.so.conf",
                          "ld.so.conf.d",
                          "locale.alias",
                          "lsb-release",
                          "mime.types",
                          "perl",
                          "pki",
                          "protocols",
                          "rpc",
                          "services",
                          "ssl",
                          "terminfo",
                          "timezone"};
constexpr std::array kEtcPrefixes{"java", "python3"};

constexpr std::string_view kNsswitch =
    "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"
    "ethers: files\nrpc: files\n";

// A link in the root stays the same link inside if it is relative or leads to what is shown; all else is shown itself.
void show(View& view, const fs::path& root, const fs::path& relative) {
  const fs::path host = root / relative;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(host, error))) return;
  const fs::path inside = "/" / relative;
  if (fs::is_symlink(host, error)) {
    const fs::path target = fs::read_symlink(host, error);
    const fs::path resolved = (inside.parent_path() / target).lexically_normal();
    if (resolved.native().starts_with("/usr/")) {
      view.links.push_back({target.native(), inside});
      return;
    }
  }
  if (fs::exists(host, error)) view.shown.push_back({host, inside});
}

void show_etc(View& view, const fs::path& root) {
  for (const char* name : kEtc) show(view, root, fs::path("etc") / name);
  for (const char* name : {"localtime", "os-release"}) show(view, root, fs::path("etc") / name);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root / "etc", error)) {
    const std::string name = entry.path().filename();
    const auto begins = [&](const char* prefix) { return name.starts_with(prefix); };
    if (std::ranges::any_of(kEtcPrefixes, begins)) show(view, root, fs::path("etc") / name);
  }
}

std::string read_or_empty(const fs::path& path) {
  return util::read_file(path, std::uint64_t{1} << 20).value_or("");
}

void make_etc(View& view, const ViewOptions& options) {
  view.made.push_back({fmt::format("root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n"
                                   "build:x:{0}:{0}:build:/app:/bin/bash\n"
                                   "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
                                   options.user),
                       "/etc/passwd"});
  view.made.push_back({fmt::format("root:x:0:\nbuild:x:{}:\nnogroup:x:65534:\n", options.user), "/etc/group"});
  view.made.push_back(
      {"127.0.0.1 localhost build\n::1 localhost ip6-localhost ip6-loopback\n" + read_or_empty("/etc/hosts"),
       "/etc/hosts"});
  const std::string resolver = read_or_empty("/etc/resolv.conf");
  view.made.push_back(
      {options.name_server ? with_name_server(resolver, *options.name_server) : resolver, "/etc/resolv.conf"});
  view.made.push_back({std::string(kNsswitch), "/etc/nsswitch.conf"});
  view.made.push_back({"multi on\n", "/etc/host.conf"});
  view.made.push_back({"build\n", "/etc/hostname"});
}

}  // namespace

std::string with_name_server(const std::string& resolv_conf, const std::string& server) {
  std::string result = fmt::format("nameserver {}\n", server);
  for (const std::string_view line : util::split(resolv_conf, '\n')) {
    if (!util::trim(line).empty() && !util::trim(line).starts_with("nameserver")) result += fmt::format("{}\n", line);
  }
  return result;
}

Result<View> make_view(const ViewOptions& options) {
  const fs::path& root = options.root;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(root / "usr/bin/env", error))) {
    return fail(ErrorKind::invalid, "{} is not a root file system: it has no /usr/bin/env", root.native());
  }
  View view;
  view.shown.push_back({root / "usr", "/usr"});
  for (const char* name : kTop) show(view, root, name);
  // A stack keeps its runtimes there; the host's /opt is nobody's business.
  if (root != "/") show(view, root, "opt");
  show_etc(view, root);
  // apt, with state of its own, asks it which packages the system has.
  show(view, root, "var/lib/dpkg/status");
  view.links.push_back({"../tmp", "/var/tmp"});
  make_etc(view, options);
  return view;
}

}  // namespace hearth::sandbox
