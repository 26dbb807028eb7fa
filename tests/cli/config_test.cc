#include "cli/config.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "cli/options.h"
#include "cli/parse.h"
#include "util/file.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(ConfigFile, IsTakenApart) {
  const Result<ConfigFile> file = parse_config_file(R"(
store = "file:///srv"
port = 5001
create-store = true
[build]
buildpack = ["one", "two"]
[environment]
AWS_SECRET_ACCESS_KEY = "s"
)",
                                                    "f.toml");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  std::vector<std::string> found;
  for (const FileSetting& setting : file->settings) {
    std::string line = fmt::format("{} [{}] {} =", setting.place, setting.table, setting.key);
    for (const std::string& value : setting.values) line += " " + value;
    found.push_back(line);
  }
  EXPECT_THAT(found, UnorderedElementsAre("f.toml:2 [] store = file:///srv", "f.toml:3 [] port = 5001",
                                          "f.toml:4 [] create-store = true", "f.toml:6 [build] buildpack = one two"));
  EXPECT_THAT(file->tables, ElementsAre(Pair("build", "f.toml:5")));
  EXPECT_THAT(file->environment, ElementsAre(Pair("AWS_SECRET_ACCESS_KEY", "s")));
}

TEST(ConfigFile, WhatCannotBeASettingIsRefusedWithItsPlace) {
  const auto refusal = [](const std::string& text) {
    const Result<ConfigFile> file = parse_config_file("\n" + text, "f.toml");
    EXPECT_FALSE(file.has_value()) << text;
    return file ? std::string() : file.error().message;
  };
  EXPECT_THAT(refusal("store = \n"), HasSubstr("f.toml:2: "));
  EXPECT_THAT(refusal("a = 1\na = 2\n"), HasSubstr("f.toml:3: "));
  EXPECT_THAT(refusal("compression-level = 1.5\n"), HasSubstr("f.toml:2: compression-level must be"));
  EXPECT_THAT(refusal("app = 2026-01-31\n"), HasSubstr("f.toml:2: app must be"));
  EXPECT_THAT(refusal("env = [\"A=b\",\n 3]\n"), HasSubstr("f.toml:3: env must be"));
  EXPECT_THAT(refusal("[cache.save]\napp = \"x\"\n"), HasSubstr("[cache-save]"));
  EXPECT_THAT(refusal("[[build]]\napp = \"x\"\n"), HasSubstr("build must be"));
  EXPECT_THAT(refusal("app = \"a\\u0000b\"\n"), HasSubstr("f.toml:2: app has a NUL byte"));
  EXPECT_THAT(refusal("[environment]\nHEARTH_STORE = \"x\"\n"), HasSubstr("f.toml:3: HEARTH_STORE is a setting"));
  EXPECT_THAT(refusal("[environment]\n\"A B\" = \"x\"\n"), HasSubstr("A B is no name of a variable"));
  EXPECT_THAT(refusal("[environment]\nA = 5\n"), HasSubstr("f.toml:3: A must be text"));
  EXPECT_THAT(refusal("[environment]\nPASSWORD = [\"hunter2\"]\n"), Not(HasSubstr("hunter2")));
}

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    CLI::App* build = root_.add_subcommand("build");
    Options options(*build, environment_);
    options.text("--stack", stack_, "");
    options.duration("--deadline", deadline_, "");
    options.number("--level", level_, "")->check(CLI::Range(1, 19));
    options.size("--limit", limit_, "");
    options.flag("--strict", strict_, "");
    options.list("--item", items_, "");
    options.choice("--strip", strip_, {{"auto", 2}, {"1", 1}}, "");
    options.flag("--yes", yes_, "");
    CLI::App* group = root_.add_subcommand("cache");
    CLI::App* save = group->add_subcommand("save");
    Options more(*save, environment_);
    more.text("--stack", other_, "");
  }

  fs::path write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const fs::path path = temp_.path() / name;
    EXPECT_TRUE(util::write_file(path, text, 0600).has_value());
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  // Parses the line, and takes the rest from the files.
  void run(const std::string& line, const fs::path& named, const std::vector<fs::path>& others = {}) {
    root_.parse(line);
    const Config config = Config::load(named, others);
    warnings_ = config.warnings();
    config.apply(root_, environment_);
  }

  std::string refusal(const std::string& text, const std::string& line = "build") {
    const fs::path path = write("refused.toml", text);
    try {
      run(line, path);
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path.native()));
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return "";
  }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "config-").value());
  Environment environment_;
  CLI::App root_;
  std::string stack_ = "default";
  std::string other_ = "default";
  std::chrono::milliseconds deadline_{5};
  std::uint32_t level_ = 3;
  std::uint64_t limit_ = 7;
  bool strict_ = false;
  bool yes_ = false;
  int strip_ = 0;
  std::vector<std::string> items_;
  std::vector<std::string> warnings_;
};

TEST_F(ConfigTest, EachKindReachesItsOption) {
  run("build", write("f", R"(
stack = "from-file"
deadline = "1m"
level = 9
limit = "2k"
strict = true
item = ["a", "b c"]
strip = 1
)"));
  EXPECT_EQ(stack_, "from-file");
  EXPECT_EQ(deadline_, std::chrono::minutes(1));
  EXPECT_EQ(level_, 9U);
  EXPECT_EQ(limit_, 2000U);
  EXPECT_TRUE(strict_);
  EXPECT_THAT(items_, ElementsAre("a", "b c"));
  EXPECT_EQ(strip_, 1);
  EXPECT_EQ(other_, "default") << "of a command that was not chosen";
}

TEST_F(ConfigTest, BareNumbersAreSecondsAndBytes) {
  run("build", write("f", "deadline = 90\nlimit = 4096\nitem = \"alone\"\nstrict = false\n"));
  EXPECT_EQ(deadline_, std::chrono::seconds(90));
  EXPECT_EQ(limit_, 4096U);
  EXPECT_THAT(items_, ElementsAre("alone"));
  EXPECT_FALSE(strict_);
}

TEST_F(ConfigTest, FlagsAndVariablesWin) {
  environment_ = {{"HEARTH_ITEM", "from-variable"}, {"HEARTH_LEVEL", ""}};
  run("build --stack flag", write("f", "stack = \"file\"\nitem = [\"file\"]\nlevel = 4\n"));
  EXPECT_EQ(stack_, "flag");
  EXPECT_THAT(items_, IsEmpty()) << "the variable is read when the options are finished";
  EXPECT_EQ(level_, 4U) << "a variable without a value says nothing";
}

TEST_F(ConfigTest, TheTableOfTheCommandWinsOverTheTop) {
  const fs::path file =
      write("f", "stack = \"top\"\nlevel = 4\n[build]\nstack = \"build\"\n[cache-save]\nstack = \"save\"\n");
  run("build", file);
  EXPECT_EQ(stack_, "build");
  EXPECT_EQ(level_, 4U);
  run("cache save", file);
  EXPECT_EQ(other_, "save");
}

TEST_F(ConfigTest, TheStrongerFileWinsWholly) {
  const fs::path users = write("users", "level = 5\nlimit = 5\n[build]\nstack = \"users\"\nitem = [\"users\"]\n");
  const fs::path machines = write("machines", "level = 6\nlimit = 6\nstrict = true\nitem = [\"machines\"]\n");
  run("build", write("named", "stack = \"named\"\nlevel = 4\n"), {users, machines});
  EXPECT_EQ(stack_, "named") << "even over a table of a weaker file";
  EXPECT_EQ(level_, 4U);
  EXPECT_EQ(limit_, 5U);
  EXPECT_TRUE(strict_);
  EXPECT_THAT(items_, ElementsAre("users"));
}

TEST_F(ConfigTest, AnAbsentFileIsNoneUnlessItWasNamed) {
  run("build", "", {temp_.path() / "absent", temp_.path() / "no/such/directory", "/dev/null/config.toml"});
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_THROW(Config::load(temp_.path() / "absent", {}), UsageError);
  // A directory in the place of a file is told, and is no reason not to work.
  run("build", "", {temp_.path()});
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(temp_.path().native())));
  EXPECT_THROW(Config::load(temp_.path(), {}), UsageError);
}

TEST_F(ConfigTest, UnknownKeysNameTheNearest) {
  EXPECT_THAT(refusal("\nstak = \"x\"\n"), HasSubstr(":2: stak is no setting of hearth; did you mean stack?"));
  EXPECT_THAT(refusal("[build]\nlevl = 3\n"), HasSubstr(":2: levl is no setting of [build]; did you mean level?"));
  EXPECT_THAT(refusal("[cache-save]\nlevel = 3\n"), HasSubstr("level is no setting of [cache-save]"));
  EXPECT_THAT(refusal("[biuld]\n"), HasSubstr(":1: [biuld] is no command of hearth; did you mean build?"));
  EXPECT_THAT(refusal("[cache-save]\nstak = \"x\"\n", "build"), HasSubstr("stak is no setting of [cache-save]"));
  EXPECT_THAT(refusal("yes = true\n"), HasSubstr("yes is no setting of hearth"));
  EXPECT_THAT(refusal("help = true\n"), HasSubstr("help is no setting of hearth"));
  EXPECT_FALSE(yes_);
}

TEST_F(ConfigTest, WrongKindsAreRefused) {
  EXPECT_THAT(refusal("stack = 24\n"), HasSubstr(":1: stack takes text in quotes"));
  EXPECT_THAT(refusal("strict = \"yes\"\n"), HasSubstr(":1: strict takes true or false"));
  EXPECT_THAT(refusal("strict = 1\n"), HasSubstr("strict takes true or false"));
  EXPECT_THAT(refusal("item = 3\n"), HasSubstr("item takes a list of texts"));
  EXPECT_THAT(refusal("deadline = true\n"), HasSubstr("deadline takes a number, or text in quotes"));
  EXPECT_THAT(refusal("deadline = [\"1m\"]\n"), HasSubstr("deadline takes a number, or text in quotes"));
  EXPECT_THAT(refusal("[cache-save]\nstack = true\n", "build"), HasSubstr(":2: stack takes text in quotes"));
}

TEST_F(ConfigTest, ValuesAreCheckedAsThoseOfFlags) {
  EXPECT_THAT(refusal("\ndeadline = \"soon\"\n"), testing::AllOf(HasSubstr(":2: --deadline"), HasSubstr("soon")));
}

TEST_F(ConfigTest, RangesAreChecked) {
  EXPECT_THAT(refusal("level = 20\n"), testing::AllOf(HasSubstr(":1: "), HasSubstr("--level")));
}

TEST_F(ConfigTest, ChoicesAreChecked) {
  EXPECT_THAT(refusal("strip = \"2\"\n"), HasSubstr(":1: --strip: \"2\" is none of auto|1"));
}

TEST_F(ConfigTest, WhatOthersMayReadOrChangeIsWarnedAbout) {
  run("build", write("f", "stack = \"x\"\n", 0644));
  EXPECT_THAT(warnings_, IsEmpty()) << "nothing in it is secret";
  run("build", write("f", "[environment]\nAWS_SECRET_ACCESS_KEY = \"x\"\n", 0640));
  EXPECT_THAT(warnings_, IsEmpty());
  run("build", write("f", "[environment]\nAWS_SECRET_ACCESS_KEY = \"x\"\n", 0644));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("holds secrets, and others may read it")));
  run("build", write("f", "stack = \"x\"\n", 0602));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("others may change")));
}

TEST_F(ConfigTest, TheStrongerFileSetsAVariable) {
  const fs::path weaker = write("weaker", "[environment]\nA = \"weaker\"\nB = \"weaker\"\n");
  const Config config = Config::load(write("f", "[environment]\nA = \"named\"\n"), {weaker});
  EXPECT_THAT(config.environment(), UnorderedElementsAre(Pair("A", "named"), Pair("B", "weaker")));
}

TEST(DefaultConfigFiles, AreTheUsersAndTheMachines) {
  EXPECT_THAT(default_config_files({{"XDG_CONFIG_HOME", "/x"}, {"HOME", "/h"}}),
              ElementsAre("/x/hearth/config.toml", "/etc/hearth/config.toml"));
  EXPECT_THAT(default_config_files({{"XDG_CONFIG_HOME", "relative"}, {"HOME", "/h"}}),
              ElementsAre("/h/.config/hearth/config.toml", "/etc/hearth/config.toml"));
  EXPECT_THAT(default_config_files({}), ElementsAre("/etc/hearth/config.toml"));
}

TEST_F(ConfigTest, TheCommandLineTakesThem) {
  const fs::path file = write("f", "app = \"blog\"\n[environment]\nAWS_PROFILE = \"x\"\n");
  const Parsed parsed = parse({"build", ".", "--config", file}, {});
  EXPECT_TRUE(parsed.run) << parsed.text;
  EXPECT_THAT(parsed.variables, Contains(Pair("AWS_PROFILE", "x")));
  EXPECT_TRUE(parse({"cache", "save", "dir"}, {{"HEARTH_CONFIG", file.native()}}).run);
  EXPECT_EQ(parse({"build", "."}, {}).exit_code, 2) << "without it there is no app";
  const Parsed absent = parse({"build", ".", "--app", "blog", "--config", temp_.path() / "absent"}, {});
  EXPECT_EQ(absent.exit_code, 2);
  EXPECT_THAT(absent.text, HasSubstr("absent"));
  EXPECT_THAT(parse({"run", "--help"}, {}).text, HasSubstr("--config"));
}

// As a shell makes of --config <(…): what comes out of it comes once.
class PipedConfig {
 public:
  explicit PipedConfig(std::string_view text) {
    std::array<int, 2> ends = {};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    out_ = util::Fd(ends[0]);
    const util::Fd in(ends[1]);
    EXPECT_TRUE(util::write_full(in.get(), text));
  }

  std::string path() const { return fmt::format("/proc/self/fd/{}", out_.get()); }

 private:
  util::Fd out_;
};

// A table of another command is known only to the second look at the line, with all commands.
TEST_F(ConfigTest, APipeIsReadOnce) {
  const std::string text = "app = \"blog\"\n[cache-save]\nstack = \"x\"\n[environment]\nAWS_PROFILE = \"x\"\n";
  const PipedConfig named(text);
  const Parsed parsed = parse({"build", ".", "--config", named.path()}, {});
  EXPECT_TRUE(parsed.run) << parsed.text;
  EXPECT_THAT(parsed.variables, Contains(Pair("AWS_PROFILE", "x")));
  const PipedConfig of_variable(text);
  EXPECT_TRUE(parse({"build", "."}, {{"HEARTH_CONFIG", of_variable.path()}}).run);
}

TEST_F(ConfigTest, WhatIsWrongInAPipeIsTold) {
  const PipedConfig broken("app = \n");
  EXPECT_THAT(parse({"build", ".", "--config", broken.path()}, {}).text, HasSubstr(broken.path() + ":1: "));
  const PipedConfig misspelt("ap = \"blog\"\n");
  EXPECT_THAT(parse({"build", ".", "--config", misspelt.path()}, {}).text, HasSubstr(":1: ap is no setting of hearth"));
}

}  // namespace
}  // namespace hearth::cli
