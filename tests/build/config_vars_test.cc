#include "build/config_vars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build/build.h"
#include "util/file.h"

namespace hearth::build {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

namespace fs = std::filesystem;

class ConfigVarsTest : public testing::Test {
 protected:
  void file(const std::string& name, std::string_view text) {
    ASSERT_TRUE(util::write_file(temp_.path() / name, text).has_value());
  }
  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "config-vars-").value());
};

TEST_F(ConfigVarsTest, LaterSourcesWin) {
  fs::create_directory(temp_.path() / "env");
  file("env/A", "directory\n");
  file("env/B", "directory\n");
  file("env/C", "directory\n");
  file("vars", "# comment\n\nexport B='file'\nC=file\n");
  const auto vars = read_config_vars({temp_.path() / "env", temp_.path() / "vars", {"C=flag=x", "D="}});
  ASSERT_TRUE(vars.has_value()) << vars.error().message;
  EXPECT_THAT(*vars,
              UnorderedElementsAre(Pair("A", "directory\n"), Pair("B", "file"), Pair("C", "flag=x"), Pair("D", "")));
}

TEST_F(ConfigVarsTest, ReadsAMountedKubernetesSecret) {
  fs::create_directories(temp_.path() / "env" / "..2026");
  file("env/..2026/KEY", "value");
  fs::create_directory_symlink("..2026", temp_.path() / "env" / "..data");
  fs::create_symlink("..data/KEY", temp_.path() / "env" / "KEY");
  const auto vars = read_config_vars({temp_.path() / "env", {}, {}});
  ASSERT_TRUE(vars.has_value()) << vars.error().message;
  EXPECT_THAT(*vars, UnorderedElementsAre(Pair("KEY", "value")));
}

TEST_F(ConfigVarsTest, NamesWhatCannotBeUsedButNoValue) {
  file("vars", "GOOD=1\nno assignment topsecret\n");
  const auto lines = read_config_vars({{}, temp_.path() / "vars", {}});
  ASSERT_FALSE(lines.has_value());
  EXPECT_THAT(lines.error().message, testing::AllOf(HasSubstr("vars:2"), Not(HasSubstr("topsecret"))));
  EXPECT_EQ(ErrorKind::invalid, read_config_vars({{}, {}, {"../x=1"}}).error().kind);
  EXPECT_EQ(ErrorKind::invalid, read_config_vars({{}, {}, {"JUSTANAME"}}).error().kind);
  EXPECT_EQ(ErrorKind::not_found, read_config_vars({{}, temp_.path() / "absent", {}}).error().kind);
}

TEST_F(ConfigVarsTest, WritesEnvDirByteExact) {
  const std::string value("\xff two\nlines\n\n");
  ASSERT_TRUE(write_env_dir({{"A", value}, {"SSH_KEY", "k"}}, {"SSH_KEY"}, temp_.path(), std::nullopt).has_value());
  EXPECT_EQ(value, util::read_file(temp_.path() / "A").value());
  EXPECT_FALSE(fs::exists(temp_.path() / "SSH_KEY"));
}

TEST(AppName, AllowsWhatCannotEscape) {
  for (const char* name : {"demo", "My-app_1.2", "...", "a"}) EXPECT_TRUE(check_app_name(name).has_value()) << name;
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("../x"), std::string("a b"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("\xc3\xa4"), std::string(101, 'a')}) {
    const auto result = check_app_name(name);
    ASSERT_FALSE(result.has_value()) << name;
    EXPECT_EQ(ErrorKind::invalid, result.error().kind);
    EXPECT_THAT(result.error().message, Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace hearth::build
