#include "build/processes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "build/app_file.h"
#include "buildpack/app_files.h"
#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class ProcessesTest : public testing::Test {
 protected:
  std::string bash(const std::string& script) const {
    const std::string command = "cd " + temp_.path().native() + " && bash -c " + shell_quoted(script);
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::string output;
    std::array<char, 256> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) output += buffer.data();
    ::pclose(pipe);
    return output;
  }
  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "processes-").value());
};

TEST_F(ProcessesTest, TheProcfileWinsOverDefaults) {
  ASSERT_TRUE(util::write_file(temp_.path() / "Procfile", "web: mine\r\n<<<<<<< HEAD\nworker: w\n").has_value());
  std::string shown;
  Console console;
  console.log = [&](std::string_view text) { shown += text; };
  Log log(console, {}, [] { return std::chrono::system_clock::time_point(); });
  const Processes processes = discover_processes(temp_.path(), {{"web", "theirs"}, {"rake", "r"}}, "Ruby", log);
  EXPECT_THAT(processes, UnorderedElementsAre(Pair("web", "mine"), Pair("worker", "w"), Pair("rake", "r")));
  EXPECT_THAT(shown, HasSubstr("-----> Discovering process types\n"));
  EXPECT_THAT(shown, HasSubstr("       Procfile declares types -> web, worker\n"));
  EXPECT_THAT(shown, HasSubstr("       Default process types for Ruby -> rake, web\n"));
}

TEST_F(ProcessesTest, DefaultsComeBackFromTheSlug) {
  const Processes defaults = {{"web", "run \"it\" # : 'x'"}, {"worker", "w"}};
  ASSERT_TRUE(write_app_file(temp_.path(), kReleaseFile, release_file_of(defaults), std::nullopt).has_value());
  EXPECT_EQ(defaults, processes_in(temp_.path()));
}

TEST_F(ProcessesTest, ProfileSetsDefaultsAndOnlyThose) {
  const std::string value = "it's $HOME `id` \"x\" \\ end\nnext";
  ASSERT_TRUE(
      util::write_file(temp_.path() / "p.sh",
                       profile_of({{"A", value}, {"B", "default"}, {"PATH", "bin:/usr/bin:/bin"}, {"a;b", "x"}}))
          .has_value());
  EXPECT_EQ(value + "|set|bin:/usr/bin:/bin", bash("B=set; . ./p.sh; printf '%s' \"$A|$B|$PATH\""));
  EXPECT_EQ("default", bash("unset B; . ./p.sh; printf '%s' \"$B\""));
}

TEST_F(ProcessesTest, FilesOfTheAppDoNotLeadOutOfIt) {
  const fs::path app = temp_.path() / "app";
  fs::create_directories(app / "inner");
  ASSERT_TRUE(util::write_file(temp_.path() / "secret", "secret").has_value());
  ASSERT_TRUE(util::write_file(app / "inner/file", "mine").has_value());
  fs::create_symlink("../secret", app / "Procfile");
  fs::create_symlink(temp_.path() / "secret", app / "absolute");
  fs::create_symlink("inner/file", app / "link");
  fs::create_directory_symlink("..", app / ".profile.d");
  using buildpack::read_app_file;
  EXPECT_FALSE(read_app_file(app, "Procfile", 100).has_value());
  EXPECT_FALSE(read_app_file(app, "absolute", 100).has_value());
  EXPECT_EQ("mine", read_app_file(app, "link", 100).value());
  EXPECT_EQ(Processes(), processes_in(app));
  EXPECT_FALSE(write_app_file(app, ".profile.d/x.sh", "x", std::nullopt).has_value());
  EXPECT_FALSE(fs::exists(temp_.path() / "x.sh"));
  EXPECT_TRUE(write_app_file(app, "link", "new", std::nullopt).has_value());
  EXPECT_EQ("mine", util::read_file(app / "inner/file").value());
}

TEST_F(ProcessesTest, ALinkInThePlaceOfTheAppIsNotFollowed) {
  const fs::path elsewhere = temp_.path() / "elsewhere";
  fs::create_directory(elsewhere);
  ASSERT_TRUE(util::write_file(elsewhere / "Procfile", "web: theirs\n").has_value());
  fs::create_directory_symlink(elsewhere, temp_.path() / "app");
  EXPECT_EQ(Processes(), processes_in(temp_.path() / "app"));
  EXPECT_FALSE(write_app_file(temp_.path() / "app", "file", "x", std::nullopt).has_value());
  EXPECT_FALSE(fs::exists(elsewhere / "file"));
}

}  // namespace
}  // namespace hearth::build
