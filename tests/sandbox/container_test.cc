// Sandboxes as somebody else has them: an ordinary user, and root in a container as platforms run them.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "sandbox/process.h"
#include "sandbox/rooms.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

struct Output {
  int code = -1;
  std::string text;  // stdout and stderr
};

Output shell(const std::string& command) {
  FILE* pipe = ::popen(fmt::format("({}) 2>&1", command).c_str(), "re");
  Output output;
  std::array<char, 4096> buffer{};
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.text.append(buffer.data(), count);
  }
  output.code = WEXITSTATUS(::pclose(pipe));
  return output;
}

constexpr uid_t kOrdinary = 31234;

class OrdinaryUserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "the other tests run as an ordinary user already";
    const std::string probe =
        fmt::format("setpriv --reuid {0} --regid {0} --clear-groups test -x {1}", kOrdinary, HEARTH_SANDBOX_DRIVER);
    if (shell(probe).code != 0) GTEST_SKIP() << "an ordinary user cannot reach " << HEARTH_SANDBOX_DRIVER;
  }

  Output drive(const std::string& level, const std::string& network, const std::string& script) {
    return shell(
        fmt::format("setpriv --reuid {0} --regid {0} --clear-groups {1} {2} {3} {4}/tmp {4}/app 2000 bash -c '{5}'",
                    kOrdinary, HEARTH_SANDBOX_DRIVER, level, network, rooms_.base().native(), script));
  }

  Rooms rooms_{kOrdinary};
};

TEST_F(OrdinaryUserTest, HasTheFullSandbox) {
  const Output output = drive("auto", "host", "id -u; id -un; ls /home; (setsid sleep 500 &); exit 3");
  EXPECT_EQ(output.code, 3) << output.text;
  EXPECT_THAT(output.text, HasSubstr(fmt::format("level=bwrap owner={}", kOrdinary)));
  EXPECT_THAT(output.text, HasSubstr(fmt::format("{}\nbuild\n", kOrdinary)));
}

TEST_F(OrdinaryUserTest, CanCutTheNetworkOff) {
  const Output output = drive("bwrap", "off", "tail -n +3 /proc/net/dev | cut -d: -f1");
  EXPECT_THAT(output.text, HasSubstr("warning=\n"));
  EXPECT_THAT(output.text, testing::EndsWith(" lo\n"));
}

// Whether it may use /dev/net/tun is the machine's choice.
TEST_F(OrdinaryUserTest, HasANetworkOfItsOwnOrAWarning) {
  const Output output = drive("bwrap", "on", "cat /proc/net/route");
  EXPECT_EQ(output.code, 0) << output.text;
  if (output.text.contains("warning=\n")) {
    EXPECT_THAT(output.text, HasSubstr("tap0"));
  } else {
    EXPECT_THAT(output.text, HasSubstr("shares this machine's network"));
  }
}

TEST_F(OrdinaryUserTest, HasLevelPlainButNotUid) {
  EXPECT_THAT(drive("plain", "host", "id -u").text, HasSubstr(fmt::format("\n{}\n", kOrdinary)));
  const Output uid = drive("uid", "host", "true");
  EXPECT_EQ(uid.code, 70);
  EXPECT_THAT(uid.text, HasSubstr("error=denied: sandbox level uid needs root"));
}

Json bind(const fs::path& source, const std::string& destination) {
  return {{"source", source.native()}, {"destination", destination}, {"type", "bind"}, {"options", {"rbind", "ro"}}};
}

// What a container engine gives a container that nobody asked anything special for.
Json bundle(const std::string& script) {
  const std::vector<std::string> capabilities{
      "CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
      "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
      "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
      "CAP_KILL",    "CAP_AUDIT_WRITE"};
  Json config;
  config["ociVersion"] = "1.0.2";
  config["hostname"] = "pod";
  config["root"] = {{"path", "rootfs"}};
  config["process"] = {
      {"user", {{"uid", 0}, {"gid", 0}}},
      {"args", {"/bin/sh", "-c", script}},
      {"cwd", "/"},
      {"env", {"PATH=/usr/sbin:/usr/bin:/bin", "STORE_SECRET=never-to-be-seen", "ASAN_OPTIONS=detect_leaks=0"}}};
  for (const char* set : {"bounding", "effective", "permitted"}) config["process"]["capabilities"][set] = capabilities;
  config["mounts"] = {
      {{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
      {{"destination", "/dev"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"nosuid", "mode=755"}}},
      {{"destination", "/tmp"}, {"type", "tmpfs"}, {"source", "tmpfs"}, {"options", {"mode=1777"}}},
      {{"destination", "/run"}, {"type", "tmpfs"}, {"source", "tmpfs"}},
      bind("/usr", "/usr"),
      bind("/etc", "/etc"),
      bind(fs::path(HEARTH_SANDBOX_DRIVER).parent_path(), "/driver")};
  config["linux"]["namespaces"] = Json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount", "network"}) {
    config["linux"]["namespaces"].push_back({{"type", type}});
  }
  config["linux"]["maskedPaths"] = {"/proc/kcore", "/proc/keys"};
  config["linux"]["readonlyPaths"] = {"/proc/sys"};
  config["linux"]["seccomp"] = {
      {"defaultAction", "SCMP_ACT_ALLOW"},
      {"syscalls",
       {{{"names", {"mount", "umount2", "pivot_root", "unshare", "setns"}}, {"action", "SCMP_ACT_ERRNO"}}}}};
  return config;
}

class ContainerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "running a container needs root";
    if (!find_program("runc")) GTEST_SKIP() << "runc is not installed";
    for (const char* name : {"usr", "etc", "tmp", "run", "proc", "dev", "driver"}) {
      fs::create_directories(rooms_.base() / "rootfs" / name);
    }
    for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
      fs::create_symlink(std::string("usr/") + name, rooms_.base() / "rootfs" / name);
    }
    const Output probe = in_container("echo inside");
    if (!probe.text.contains("inside\n")) GTEST_SKIP() << "runc cannot run containers here: " << probe.text;
  }

  Output in_container(const std::string& script) {
    EXPECT_TRUE(util::write_file(rooms_.base() / "config.json", bundle(script).dump()));
    const std::string base = rooms_.base();
    return shell(fmt::format("runc --root {0}/state run --bundle {0} hearth-test-{1} < /dev/null", base, ::getpid()));
  }

  // The driver in the container, at this level, with this command.
  Output drive(const std::string& level, const std::string& script, const std::string& afterwards = "") {
    return in_container(fmt::format(
        "mkdir -p /tmp/room/tmp /tmp/room/app /tmp/store; chown 2000:2000 /tmp/room/*; chmod 700 /tmp/store; "
        "echo object > /tmp/store/object; "
        "/driver/sandbox_driver {} on /tmp/room/tmp /tmp/room/app 2000 bash -c '{}'; code=$?; {}; exit $code",
        level, script, afterwards.empty() ? ":" : afterwards));
  }

  Rooms rooms_;
};

TEST_F(ContainerTest, AutoTakesLevelUid) {
  const Output output = drive("auto", "id -u; exit 3");
  EXPECT_EQ(output.code, 3) << output.text;
  EXPECT_THAT(output.text, HasSubstr("level=uid owner=2000"));
  EXPECT_THAT(output.text, HasSubstr("warning=bwrap cannot be had (")) << "the log says why";
  EXPECT_THAT(output.text, HasSubstr("sandbox level uid has no network of its own"));
  EXPECT_THAT(output.text, HasSubstr("\n2000\n"));
}

TEST_F(ContainerTest, OwnershipProtectsStoreAndCredentials) {
  const Output output =
      drive("uid", "cat /tmp/store/object; ls /tmp/store; cat /proc/*/environ; cat /etc/shadow; su -c id");
  EXPECT_THAT(output.text, HasSubstr("Permission denied"));
  EXPECT_THAT(output.text, Not(HasSubstr("object\n")));
  EXPECT_THAT(output.text, Not(HasSubstr("never-to-be-seen")));
  EXPECT_THAT(output.text, Not(HasSubstr("uid=0")));
}

TEST_F(ContainerTest, DaemonsAreGone) {
  const Output output = drive("uid", "(setsid sleep 4242 &); (setsid setsid sleep 4242 & disown) ; exit 0",
                              "cat /proc/[0-9]*/comm | grep -c sleep");
  EXPECT_EQ(output.code, 0);
  EXPECT_THAT(output.text, testing::EndsWith("0\n"));
}

TEST_F(ContainerTest, BwrapByNameSaysWhyItCannot) {
  const Output output = drive("bwrap", "true");
  EXPECT_EQ(output.code, 70);
  EXPECT_THAT(output.text, HasSubstr("error=denied: bubblewrap could not start the command: "));
}

}  // namespace
}  // namespace hearth::sandbox
