// sandbox_driver LEVEL NETWORK TMP_DIR APP_DIR BUILD_UID COMMAND ARGS…: runs the command, and ends with its exit code.
// On stderr "level=… owner=…" and "warning=…". An error of the sandbox itself is exit code 70.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "sandbox/sandbox.h"

namespace {

namespace sandbox = hearth::sandbox;

const std::map<std::string, std::optional<sandbox::Level>> kLevels{{"auto", std::nullopt},
                                                                   {"bwrap", sandbox::Level::bwrap},
                                                                   {"uid", sandbox::Level::uid},
                                                                   {"plain", sandbox::Level::plain}};
const std::map<std::string, sandbox::Network> kNetworks{
    {"on", sandbox::Network::on}, {"off", sandbox::Network::off}, {"host", sandbox::Network::host}};

int complain(const hearth::Error& error) {
  fmt::print(stderr, "error={}: {}\n", hearth::name(error.kind), error.message);
  return 70;
}

int run(const std::vector<std::string>& arguments) {
  sandbox::Config config;
  config.network = kNetworks.at(arguments[1]);
  config.tmp_dir = arguments[2];
  config.app_dir = arguments[3];
  config.build_uid = static_cast<uid_t>(std::stoul(arguments[4]));
  auto opened = sandbox::open(kLevels.at(arguments[0]), config);
  if (!opened) return complain(opened.error());
  fmt::print(stderr, "level={} owner={}\nwarning={}\n", name((*opened)->level()), (*opened)->owner(),
             (*opened)->warning());
  sandbox::Command command;
  command.argv = {arguments.begin() + 5, arguments.end()};
  command.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  command.directory = "/";
  const sandbox::Sink out = [](std::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    std::fflush(stdout);
  };
  const auto exit = (*opened)->run(command, out, out, {});
  return exit ? exit->code : complain(exit.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) return 64;
  return run({argv + 1, argv + argc});
}
