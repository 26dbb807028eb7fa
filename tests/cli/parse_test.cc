#include "cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/options.h"

namespace hearth::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the parser answers to a line that it must not run.
std::string refusal(const std::vector<std::string>& words, const Environment& environment = {}) {
  const Parsed parsed = parse(words, environment);
  EXPECT_FALSE(parsed.run) << "the line was accepted";
  EXPECT_EQ(parsed.exit_code, 2) << parsed.text;
  EXPECT_TRUE(parsed.text.starts_with("hearth: ") && parsed.text.ends_with("\n")) << parsed.text;
  return parsed.text;
}

// Sets a variable of this process for as long as it lives; the parser reads single settings from there.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST(Parse, AcceptsEachCommand) {
  EXPECT_TRUE(parse({"build", ".", "--app", "blog"}, {}).run);
  EXPECT_TRUE(parse({"build", "-", "--app=blog", "--slug", "-"}, {}).run);
  EXPECT_TRUE(parse({"test", ".", "--app", "blog", "--cache", "on"}, {}).run);
  EXPECT_TRUE(parse({"run", "blog"}, {}).run);
  EXPECT_TRUE(parse({"run", "blog", "web", "--port", "8080", "--", "--not-ours", "-x"}, {}).run);
  EXPECT_TRUE(parse({"cache", "save", "dir", "--app", "blog"}, {}).run);
  EXPECT_TRUE(parse({"cache", "restore", "dir", "--app", "blog", "--replace", "--strict"}, {}).run);
  EXPECT_TRUE(parse({"cache", "ls"}, {}).run);
  EXPECT_TRUE(parse({"cache", "ls", "blog", "--arch", "arm64"}, {}).run);
  EXPECT_TRUE(parse({"cache", "show", "blog", "--generation", "1"}, {}).run);
  EXPECT_TRUE(parse({"cache", "du", "blog", "node_modules", "--depth", "3", "--full"}, {}).run);
  EXPECT_TRUE(parse({"cache", "diff", "blog", "2", "0", "--files", "--format", "json"}, {}).run);
  EXPECT_TRUE(parse({"cache", "cat", "blog", "a/b"}, {}).run);
  EXPECT_TRUE(parse({"cache", "export", "blog", "-"}, {}).run);
  EXPECT_TRUE(parse({"cache", "import", "blog", "cache.tgz", "--compression-level", "9"}, {}).run);
  EXPECT_TRUE(parse({"cache", "verify", "blog", "--repair", "dir"}, {}).run);
  EXPECT_TRUE(parse({"cache", "purge", "blog", "--path", "**/*.log", "--all-stacks", "--yes"}, {}).run);
  EXPECT_TRUE(parse({"cache", "rollback", "blog"}, {}).run);
  EXPECT_TRUE(parse({"cache", "pin", "blog", "0"}, {}).run);
  EXPECT_TRUE(parse({"cache", "unpin", "blog", "0123456789abcdef"}, {}).run);
  EXPECT_TRUE(parse({"cache", "gc", "--all", "--dry-run"}, {}).run);
  EXPECT_TRUE(parse({"cache", "expire", "blog", "--unused", "30d"}, {}).run);
  EXPECT_TRUE(parse({"cache", "save", "dir", "--app", "blog", "--max-size", "2GiB"}, {}).run);
}

TEST(Parse, HelpHasExamplesAndSucceeds) {
  std::vector<std::vector<std::string>> lines = {{"build", "--help"}, {"test", "--help"}, {"run", "-h"}};
  for (const char* verb : {"save", "restore", "ls", "show", "du", "diff", "cat", "export", "import", "verify", "purge",
                           "rollback", "pin", "unpin", "gc", "expire"}) {
    lines.push_back({"cache", verb, "--help"});
  }
  for (const std::vector<std::string>& words : lines) {
    const Parsed help = parse(words, {});
    EXPECT_FALSE(help.run);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.text, HasSubstr("Examples:"));
    EXPECT_THAT(help.text,
                HasSubstr(fmt::format("Usage: hearth {} [", fmt::join(words.begin(), words.end() - 1, " "))));
  }
  EXPECT_EQ(parse({"--help"}, {}).exit_code, 0);
  EXPECT_THAT(parse({"--version"}, {}).text, HasSubstr("hearth "));
}

TEST(Parse, UnknownFlagNamesTheNearest) {
  EXPECT_THAT(refusal({"build", ".", "--app", "blog", "--buildpak", "x"}), HasSubstr("did you mean --buildpack?"));
  EXPECT_THAT(refusal({"build", ".", "--ap", "blog"}), HasSubstr("did you mean --app?"));
  EXPECT_THAT(refusal({"build", ".", "--app", "blog", "--zzzzzzzzzz"}),
              HasSubstr("--zzzzzzzzzz is no option of build"));
  EXPECT_THAT(refusal({"biuld", "."}), HasSubstr("did you mean build?"));
  EXPECT_THAT(refusal({"build", ".", "surplus", "--app", "blog"}), HasSubstr("\"surplus\" is one argument too many"));
}

TEST(Parse, UnknownVariableNamesTheNearest) {
  const std::vector<std::string> line = {"build", ".", "--app", "blog"};
  EXPECT_THAT(refusal(line, {{"HEARTH_STOER", "file:///x"}}), HasSubstr("did you mean HEARTH_STORE?"));
  EXPECT_TRUE(parse(line, {{"HEARTH_STORE", "file:///x"}, {"HEART_STOER", "x"}}).run);
}

TEST(Parse, SettingsOfOtherCommandsAreKnown) {
  EXPECT_TRUE(parse({"cache", "restore", "dir", "--app", "blog"}, {{"HEARTH_KEEP_BUILDS", "3"}}).run);
  EXPECT_THAT(refusal({"cache", "restore", "dir", "--app", "blog"}, {{"HEARTH_KEEP_BUILD", "3"}}),
              HasSubstr("did you mean HEARTH_KEEP_BUILDS?"));
}

TEST(Parse, MisspeltCommandsAreFoundAmongAll) {
  EXPECT_THAT(refusal({"cache", "purg", "blog"}), HasSubstr("did you mean purge?"));
  EXPECT_THAT(refusal({"cach", "ls"}), HasSubstr("did you mean cache?"));
}

TEST(Parse, ServiceLinksOfKubernetesAreNoSettings) {
  const Environment links = {{"HEARTH_SERVICE_HOST", "10.0.0.1"},
                             {"HEARTH_SERVICE_PORT_HTTP", "80"},
                             {"HEARTH_PORT_80_TCP_ADDR", "10.0.0.1"},
                             {"HEARTH_PORT", "tcp://10.0.0.1:80"}};
  EXPECT_TRUE(parse({"build", ".", "--app", "blog"}, links).run);
}

TEST(Parse, WhatIsMissingIsNamed) {
  EXPECT_THAT(refusal({}), HasSubstr("no command"));
  EXPECT_THAT(refusal({"build"}), HasSubstr("SOURCE"));
  EXPECT_THAT(refusal({"build", "."}), HasSubstr("--app"));
  EXPECT_THAT(refusal({"run"}), HasSubstr("APP"));
  EXPECT_THAT(refusal({"cache", "save", "--app", "blog"}), HasSubstr("DIR"));
  EXPECT_THAT(refusal({"cache", "restore", "dir"}), HasSubstr("--app"));
  EXPECT_THAT(refusal({"cache", "show"}), HasSubstr("needs an APP"));
  EXPECT_THAT(refusal({"cache", "cat", "blog"}), HasSubstr("PATH"));
  EXPECT_THAT(refusal({"cache", "export", "blog"}), HasSubstr("FILE"));
  EXPECT_THAT(refusal({"cache", "diff", "blog", "1"}), HasSubstr("FROM and TO"));
  EXPECT_THAT(refusal({"cache", "verify"}), HasSubstr("--all"));
  EXPECT_THAT(refusal({"cache", "verify", "blog", "--all"}), HasSubstr("not both"));
  EXPECT_THAT(refusal({"cache", "verify", "--all", "--repair", "dir"}), HasSubstr("one APP"));
  EXPECT_THAT(refusal({"cache", "purge", "--yes"}), HasSubstr("needs an APP"));
  EXPECT_THAT(refusal({"cache", "purge", "blog", "--path", "/"}), HasSubstr("needs a GLOB"));
  EXPECT_THAT(refusal({"cache", "pin", "blog"}), HasSubstr("needs a GENERATION"));
  EXPECT_THAT(refusal({"cache", "gc"}), HasSubstr("--all"));
  EXPECT_THAT(refusal({"cache", "expire", "--all"}), HasSubstr("--unused"));
  EXPECT_THAT(refusal({"cache", "expire", "--all", "--unused", "soon"}), HasSubstr("soon"));
}

TEST(Parse, ValuesAreChecked) {
  const auto with = [](const std::string& flag, const std::string& value) {
    return refusal({"build", ".", "--app", "blog", flag, value});
  };
  EXPECT_THAT(with("--cache", "sometimes"), HasSubstr("on|off|read-only|refresh"));
  EXPECT_THAT(with("--build-timeout", "soon"), HasSubstr("is no duration"));
  EXPECT_THAT(with("--slug-hard-limit", "big"), HasSubstr("is no size"));
  EXPECT_THAT(with("--sandbox", "docker"), HasSubstr("auto|bwrap|uid|plain"));
  EXPECT_THAT(refusal({"run", "blog", "--port", "70000"}), HasSubstr("--port"));
}

TEST(Parse, OnlyOneResultGoesToStandardOutput) {
  EXPECT_THAT(refusal({"build", ".", "--app", "blog", "--slug", "-", "--report", "-"}), HasSubstr("standard output"));
}

TEST(Parse, VariablesOfFlagsAreChecked) {
  const Variable variable("HEARTH_CACHE", "sometimes");
  EXPECT_THAT(refusal({"build", ".", "--app", "blog"}), HasSubstr("on|off|read-only|refresh"));
  EXPECT_TRUE(parse({"build", ".", "--app", "blog", "--cache", "off"}, {}).run) << "the flag wins";
  EXPECT_THAT(refusal({"test", ".", "--app", "blog"}), HasSubstr("on|off|read-only|refresh"));
  EXPECT_TRUE(parse({"run", "blog"}, {}).run) << "it has no such setting";
  const Variable deadline("HEARTH_RESTORE_DEADLINE", "soon");
  EXPECT_THAT(refusal({"cache", "restore", "dir", "--app", "blog"}), HasSubstr("soon"));
  EXPECT_TRUE(parse({"run", "blog"}, {}).run);
}

TEST(Options, ListsTakeOneValueAFlagAndLinesOfTheirVariable) {
  const Environment environment = {{"HEARTH_ITEM", "one\n\ntwo words\n"}};
  CLI::App app;
  std::string positional;
  std::vector<std::string> items;
  app.add_option("POSITIONAL", positional);
  Options options(app, environment);
  options.list("--item", items, "Item");
  app.parse("--item a here --item=b");
  options.finish();
  EXPECT_THAT(items, testing::ElementsAre("a", "b"));
  EXPECT_EQ(positional, "here");

  CLI::App unset;
  std::vector<std::string> from_variable;
  Options second(unset, environment);
  second.list("--item", from_variable, "Item");
  unset.parse("");
  second.finish();
  EXPECT_THAT(from_variable, testing::ElementsAre("one", "two words"));
}

TEST(Options, VariablesAreNamedAfterTheirFlags) {
  EXPECT_EQ(variable_of("--build-timeout"), "HEARTH_BUILD_TIMEOUT");
}

TEST(Parse, TheCacheIsCaredFor) {
  const std::vector<std::string> line = {"build", ".", "--app", "blog"};
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--retry-cold", "always"},
                                             {"--save", "background"},
                                             {"--save-on-failure", "quarantine"},
                                             {"--cache-from-failed"},
                                             {"--cache", "auto"}}) {
    std::vector<std::string> whole = line;
    whole.insert(whole.end(), words.begin(), words.end());
    EXPECT_TRUE(parse(whole, {}).run) << words.front();
    whole.front() = "test";
    EXPECT_TRUE(parse(whole, {}).run) << words.front();
  }
  EXPECT_THAT(refusal({"build", ".", "--app", "blog", "--save", "never"}), HasSubstr("wait|background"));
  EXPECT_TRUE(parse({"cache", "stats", "blog"}, {}).run);
  EXPECT_TRUE(parse({"cache", "stats", "--all", "--format", "json"}, {}).run);
  EXPECT_THAT(refusal({"cache", "stats"}), HasSubstr("needs an APP, or --all"));
  EXPECT_THAT(parse({"cache", "stats", "--help"}, {}).text, HasSubstr("Examples:"));
}

TEST(Parse, WhatASaverIsStartedWithIsNoCommandForPeople) {
  EXPECT_TRUE(parse({"finish-save", "3", "4"}, {}).run);
  EXPECT_THAT(parse({"--help"}, {}).text, Not(HasSubstr("finish-save")));
}

}  // namespace
}  // namespace hearth::cli
