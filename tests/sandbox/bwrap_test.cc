// What a command in namespaces sees, and does not.
#include <sys/socket.h>
#include <sys/un.h>

#include "sandbox/rooms.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class BwrapTest : public testing::Test {
 protected:
  std::unique_ptr<Sandbox> open(const Config& config) {
    auto opened = sandbox::open(Level::bwrap, config);
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      return nullptr;
    }
    return std::move(*opened);
  }

  Rooms rooms_;
};

TEST_F(BwrapTest, AutoTakesIt) {
  const auto opened = sandbox::open(std::nullopt, rooms_.config());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->level(), Level::bwrap);
}

TEST_F(BwrapTest, ShowsNothingOfOurs) {
  ::setenv("HEARTH_TEST_SECRET", "never-to-be-seen", 1);
  ASSERT_TRUE(util::write_file(rooms_.base() / "secret", "store key", 0600));
  const Rooms other_build;
  ASSERT_TRUE(util::write_file(other_build.base() / "tmp/theirs", "another app"));
  const auto sandbox = open(rooms_.config());
  Command command = bash(
      "for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do [ $f = /proc/$$/environ ] || cat $f; done; "
      "ls / /tmp; ls -d /home /root /run /var/log /srv /sys; cat " +
      (rooms_.base() / "secret").native() + " " + (other_build.base() / "tmp/theirs").native());
  command.environment.emplace_back("CONFIG_VAR", "of-the-app");
  const Ran ran = run(*sandbox, command);
  EXPECT_THAT(ran.out, Not(HasSubstr("never-to-be-seen")));
  EXPECT_THAT(ran.out, Not(HasSubstr("store key")));
  EXPECT_THAT(ran.out, Not(HasSubstr("another app")));
  EXPECT_THAT(ran.out, Not(HasSubstr("CONFIG_VAR")));
  EXPECT_THAT(ran.out, HasSubstr("cannot access '/home'"));
  EXPECT_THAT(ran.out, HasSubstr("cannot access '/run'"));
  EXPECT_THAT(run(*sandbox, "ls /").out,
              testing::MatchesRegex("app\nbin\ndev\netc\n(lib[0-9x]*\n)+proc\nsbin\ntmp\nusr\nvar\n"));
}

// The first process of the namespace is bubblewrap's own, and readable.
TEST_F(BwrapTest, TheFirstProcessHoldsNoSecret) {
  const auto sandbox = open(rooms_.config());
  const Ran ran = run(*sandbox, "tr '\\0' ' ' < /proc/1/cmdline; echo; wc -c < /proc/1/environ; ls /proc/1/fd | wc -l");
  EXPECT_THAT(ran.out, testing::StartsWith("bwrap --args "));
  EXPECT_THAT(ran.out, Not(HasSubstr(rooms_.base().native())));
  EXPECT_THAT(ran.out, HasSubstr("\n0\n"));
}

TEST_F(BwrapTest, TheSystemWorks) {
  const auto sandbox = open(rooms_.config());
  const Ran ran = run(
      *sandbox,
      "id -un; id -gn; getent passwd build; getent hosts localhost | head -1; hostname; awk 'BEGIN {print \"awk\"}'; "
      "stat -c %a /etc /var; cmp /etc/os-release /usr/lib/os-release && echo release; "
      "[ -r /etc/ssl/certs/ca-certificates.crt ] && openssl x509 -noout -in /etc/ssl/certs/ca-certificates.crt && echo "
      "ca; "
      "touch /app/x /tmp/x /dev/shm/x && echo writable; touch /x /etc/x /dev/x /usr/x /var/x 2>/dev/null || echo "
      "closed");
  EXPECT_THAT(ran.out, testing::StartsWith("build\nbuild\nbuild:x:"));
  for (const char* expected : {"localhost", "awk\n", "755\n755\n", "release\n", "ca\n", "writable\n", "closed\n"}) {
    EXPECT_THAT(ran.out, HasSubstr(expected));
  }
  EXPECT_TRUE(fs::exists(rooms_.base() / "app/x"));
}

TEST_F(BwrapTest, SudoSaysWhyItFails) {
  const auto sandbox = open(rooms_.config());
  const Ran apt = run(*sandbox, "apt-get install -y hello; apt-get update");
  EXPECT_NE(apt.exit.code, 0);
  EXPECT_THAT(apt.out, testing::AnyOf(HasSubstr("are you root?"), HasSubstr("Read-only file system"),
                                      HasSubstr("Permission denied"), HasSubstr("is missing")));
}

TEST_F(BwrapTest, TranslatesPaths) {
  Config config = rooms_.config();
  config.read_only = {{"/usr/share", "/elsewhere"}};
  const auto sandbox = open(config);
  EXPECT_EQ(sandbox->inside(rooms_.base() / "tmp/build"), "/tmp/build");
  EXPECT_EQ(sandbox->inside(rooms_.base() / "tmp"), "/tmp");
  EXPECT_EQ(sandbox->inside(rooms_.base() / "app/x/../y"), "/app/y");
  EXPECT_EQ(sandbox->inside("/usr/share/misc"), "/elsewhere/misc");
  EXPECT_EQ(sandbox->inside(rooms_.base() / "tmpfile"), rooms_.base() / "tmpfile");
  EXPECT_EQ(run(*sandbox, "[ -d /elsewhere/misc ] && ! touch /elsewhere/x 2>/dev/null && echo there").out, "there\n");
}

TEST_F(BwrapTest, OffersTheSocketsThatItIsGiven) {
  const fs::path path = rooms_.base() / "agent";
  const util::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ::chmod(path.c_str(), 0666);
  Config config = rooms_.config();
  config.sockets = {{path, "/agent/socket"}};
  const auto sandbox = open(config);
  const Ran ran = run(
      *sandbox, "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/agent/socket\")' && echo talks");
  EXPECT_EQ(ran.out, "talks\n");
}

TEST_F(BwrapTest, BuildsInAStackRoot) {
  const fs::path root = rooms_.base() / "stack";
  fs::create_directories(root / "etc");
  ::chmod(root.c_str(), 0755);
  Config config = rooms_.config();
  config.stack_root = root;
  EXPECT_EQ(sandbox::open(Level::bwrap, config).error().kind, ErrorKind::invalid);
  fs::create_directory_symlink("/usr", root / "usr");
  for (const char* name : {"bin", "sbin", "lib", "lib64"}) fs::create_symlink(std::string("usr/") + name, root / name);
  ASSERT_TRUE(util::write_file(root / "etc/debian_version", "the stack's\n"));
  fs::create_directories(root / "opt/runtime");
  const auto sandbox = open(config);
  EXPECT_EQ(run(*sandbox, "cat /etc/debian_version; ls /opt; id -un").out, "the stack's\nruntime\nbuild\n");
}

TEST_F(BwrapTest, HasNamespacesOfItsOwn) {
  const auto sandbox = open(rooms_.config());
  const Ran ran =
      run(*sandbox, "for n in pid ipc uts user mnt; do readlink /proc/self/ns/$n; done; ls /proc | grep -c '^[0-9]'");
  for (const char* name : {"pid", "ipc", "uts", "user", "mnt"}) {
    EXPECT_THAT(ran.out, Not(HasSubstr(fs::read_symlink(fmt::format("/proc/self/ns/{}", name)).native())));
  }
}

}  // namespace
}  // namespace hearth::sandbox
