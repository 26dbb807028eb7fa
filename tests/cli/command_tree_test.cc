#include "cli/command_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/completion.h"
#include "cli/man.h"
#include "cli/parse.h"

namespace hearth::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// A command line with one of everything.
class CommandTree : public testing::Test {
 protected:
  CommandTree() {
    CLI::App* deep = root_.add_subcommand("deep", "Goes deep");
    CLI::App* leaf = deep->add_subcommand("leaf", "Ends there: [it's \"quoted\"]");
    leaf->add_option("--mode", text_, "How")->type_name("on|off|read-only")->envname("HEARTH_MODE");
    leaf->add_option("--place", text_, "Where")->type_name("PATH");
    leaf->add_option("--out", text_, "Where to")->type_name("FILE|-");
    leaf->add_option("--into", text_, "Into what")->type_name("URL|DIR");
    leaf->add_option("--name", text_, "Who")->type_name("NAME")->default_str("nobody");
    leaf->add_flag("--force", flag_, "Don't ask");
    leaf->add_flag("--hidden", flag_, "Nobody's business")->group("");
    deep->add_subcommand("inner", "Nobody's business")->group("");
    leaf->add_option("DIR", text_, "The directory");
    leaf->footer("Examples:\n  hearth deep leaf .\n  .hidden\n\nA note. Exit codes: 0 well, 1 not.");
    tree_ = describe(root_);
    leaf_ = &tree_.below.at(0).below.at(0);
  }

  const OptionEntry& option(std::string_view flag) const {
    return *std::ranges::find(leaf_->options, flag, &OptionEntry::flag);
  }

  CLI::App root_{"Does things", "hearth"};
  std::string text_;
  bool flag_ = false;
  CommandEntry tree_;
  const CommandEntry* leaf_ = nullptr;
};

TEST_F(CommandTree, KnowsPathsAndKindsOfValues) {
  using Value = OptionEntry::Value;
  EXPECT_EQ(leaf_->path, "deep leaf");
  EXPECT_EQ(option("--mode").value, Value::words);
  EXPECT_THAT(option("--mode").words, ElementsAre("on", "off", "read-only"));
  EXPECT_EQ(option("--mode").variable, "HEARTH_MODE");
  EXPECT_EQ(option("--place").value, Value::path);
  EXPECT_EQ(option("--out").value, Value::path);
  EXPECT_EQ(option("--into").value, Value::directory);
  EXPECT_EQ(option("--name").value, Value::other);
  EXPECT_EQ(option("--name").default_value, "nobody");
  EXPECT_EQ(option("--force").value, Value::none);
  EXPECT_EQ(option("--help").short_flag, "-h");
  ASSERT_EQ(leaf_->positionals.size(), 1U);
  EXPECT_EQ(leaf_->positionals.front().value, Value::directory);
  EXPECT_EQ(all_commands(tree_).size(), 3U) << "hidden ones do not count";
  EXPECT_EQ(std::ranges::count(leaf_->options, "--hidden", &OptionEntry::flag), 0);
}

TEST_F(CommandTree, EveryScriptOffersEveryOption) {
  for (const Shell shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const std::string script = completion_script(shell, tree_);
    for (const OptionEntry& option : leaf_->options) EXPECT_THAT(script, HasSubstr(option.flag.substr(2)));
    for (const char* word : {"on off read-only", "leaf", "deep"}) EXPECT_THAT(script, HasSubstr(word));
  }
}

TEST_F(CommandTree, APageHasItsSections) {
  const std::string page = man_page(*leaf_, "1.2");
  for (const char* part : {".TH HEARTH\\-DEEP\\-LEAF 1", ".SH NAME\nhearth\\-deep\\-leaf \\- Ends there",
                           "\\fB\\-\\-mode\\fR \\fIon|off|read\\-only\\fR\n", "Variable: \\fBHEARTH_MODE\\fR",
                           "(default: nobody)", ".SH NOTES\nA note.", ".SH EXIT STATUS\n0 well, 1 not.",
                           ".SH EXAMPLES\n.nf\n  hearth deep leaf .\n", ".I DIR\n", "hearth 1.2"}) {
    EXPECT_THAT(page, HasSubstr(part)) << page;
  }
  EXPECT_EQ(man_page_name(*leaf_), "hearth-deep-leaf");
  EXPECT_EQ(man_page_name(tree_), "hearth");
  EXPECT_THAT(man_page(tree_, "1.2"), HasSubstr("\\fBhearth deep\\fR\nGoes deep. See \\fBhearth\\-deep\\fR(1)."));
}

TEST_F(CommandTree, NoLineOfAPageIsTakenForARequest) {
  CommandEntry command = *leaf_;
  command.footer = "Examples:\n.so /etc/passwd\n'quoted\n";
  const std::string page = man_page(command, "1");
  EXPECT_THAT(page, HasSubstr("\n\\&.so /etc/passwd\n\\&'quoted\n"));
  EXPECT_THAT(page, Not(HasSubstr("\n.so")));
}

TEST(Commands, CompletionAndManAreCommands) {
  EXPECT_TRUE(parse({"completion", "bash"}, {}).run);
  EXPECT_TRUE(parse({"man"}, {}).run);
  EXPECT_TRUE(parse({"man", "cache", "save"}, {}).run) << "words that are commands are no commands here";
  EXPECT_EQ(parse({"man", "cache", "sav"}, {}).exit_code, 2);
  EXPECT_EQ(parse({"man", "cache", "--directory", "/tmp/x"}, {}).exit_code, 2);
  EXPECT_EQ(parse({"completion"}, {}).exit_code, 2);
  EXPECT_EQ(parse({"completion", "tcsh"}, {}).exit_code, 2);
}

TEST(Commands, AnAppMayBeCalledLikeACommand) {
  for (const char* app : {"build", "cache", "man", "doctor", "test"}) {
    EXPECT_TRUE(parse({"run", app}, {}).run) << app;
    EXPECT_TRUE(parse({"run", "blog", app}, {}).run) << app;
    EXPECT_TRUE(parse({"cache", "save", app, "--app", app}, {}).run) << app;
  }
}

TEST(Commands, BuildsAndDoctorCheckTheirLine) {
  EXPECT_TRUE(parse({"builds", "ls", "blog"}, {}).run);
  EXPECT_TRUE(parse({"builds", "show", "blog", "2026", "--format", "json"}, {}).run);
  EXPECT_TRUE(parse({"builds", "log", "blog"}, {}).run);
  EXPECT_TRUE(parse({"builds", "rm", "blog", "2026", "2027", "--yes"}, {}).run);
  EXPECT_TRUE(parse({"builds", "rm", "blog", "--keep", "3"}, {}).run);
  EXPECT_TRUE(parse({"builds", "rm", "blog", "--all"}, {}).run);
  for (const std::vector<std::string>& line :
       std::vector<std::vector<std::string>>{{"builds"},
                                             {"builds", "ls"},
                                             {"builds", "ls", "bl/og"},
                                             {"builds", "ls", "blog", "surplus"},
                                             {"builds", "show", "blog", "--format", "xml"},
                                             {"builds", "rm", "blog"},
                                             {"builds", "rm", "blog", "2026", "--all"},
                                             {"builds", "rm", "blog", "--keep", "2", "--all"},
                                             {"builds", "rm", "blog", "--keep", "0"},
                                             {"builds", "rm", "blog", "--keep", "-1"},
                                             {"doctor", "surplus"},
                                             {"doctor", "--sandbox", "none"},
                                             {"run", "blog@"}}) {
    EXPECT_EQ(parse(line, {}).exit_code, 2) << testing::PrintToString(line);
    EXPECT_FALSE(parse(line, {}).run) << testing::PrintToString(line);
  }
  EXPECT_TRUE(parse({"doctor", "--store", "/x"}, {}).run);
  EXPECT_TRUE(parse({"run", "blog@2026"}, {}).run);
}

}  // namespace
}  // namespace hearth::cli
