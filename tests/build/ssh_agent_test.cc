#include "build/ssh_agent.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;

bool answers(const fs::path& path) {
  const util::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

class SshAgentTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!sandbox::find_program("ssh-agent")) GTEST_SKIP() << "openssh-client is not installed";
    const std::string command = "ssh-keygen -q -t ed25519 -N '' -f " + (temp_.path() / "key").native();
    ASSERT_EQ(0, std::system(command.c_str()));
    key_ = util::read_file(temp_.path() / "key").value();
  }
  fs::path socket() const { return agent_socket(temp_.path()); }
  bool gone_soon() const {
    for (int left = 1000; left > 0 && answers(socket()); --left) ::usleep(5'000);
    return !answers(socket());
  }

  util::TempDir temp_ = std::move(util::TempDir::create("/tmp", "agent-").value());
  std::string key_;
};

TEST_F(SshAgentTest, GoesWithItsObject) {
  {
    const Result<SshAgent> agent = SshAgent::start(key_, temp_.path(), ::geteuid());
    ASSERT_TRUE(agent) << agent.error().message;
    EXPECT_TRUE(answers(socket()));
  }
  EXPECT_TRUE(gone_soon());
}

// As where the builder is killed: nobody destroys the object then.
TEST_F(SshAgentTest, GoesWithTheThreadThatStartedIt) {
  Result<SshAgent> agent = fail(ErrorKind::io, "not started");
  std::thread([&] {
    agent = SshAgent::start(key_, temp_.path(), ::geteuid());
    EXPECT_TRUE(answers(socket()));
  }).join();
  ASSERT_TRUE(agent) << agent.error().message;
  EXPECT_TRUE(gone_soon());
}

}  // namespace
}  // namespace hearth::build
