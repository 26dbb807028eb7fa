#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "buildpack/buildpack.h"
#include "buildpack/yaml.h"
#include "fetch/direct_sandbox.h"
#include "util/file.h"

namespace hearth::buildpack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

class Phases : public testing::Test {
 protected:
  void SetUp() override {
    auto dir = util::TempDir::create(testing::TempDir(), "phases-");
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
    for (const char* name : {"build", "cache", "env"}) std::filesystem::create_directory(root() / name);
    context_.emplace(Context{
        sandbox_, {root() / "build", root() / "cache", root() / "env"}, {{"PATH", "/usr/bin:/bin"}, {"STACK", "s"}}});
  }

  const std::filesystem::path& root() const { return dir_->path(); }

  static void write(const std::filesystem::path& file, const std::string& text, mode_t mode = 0755) {
    ASSERT_TRUE(util::make_directories(file.parent_path()));
    ASSERT_TRUE(util::write_file(file, text));
    ASSERT_EQ(chmod(file.c_str(), mode), 0);
  }

  // A buildpack of the given files, each a bash script; detect and compile succeed silently unless given.
  Buildpack make(const std::string& name, const std::map<std::string, std::string>& files) {
    const Buildpack buildpack{.name = name, .source = "here", .revision = "", .directory = root() / "packs dir" / name};
    write(buildpack.directory / "bin/detect", "#!/bin/bash\n");
    write(buildpack.directory / "bin/compile", "#!/bin/bash\n");
    for (const auto& [file, text] : files) write(buildpack.directory / file, "#!/bin/bash\n" + text);
    return buildpack;
  }

  sandbox::Sink into(std::string& text) {
    return [&text](std::string_view bytes) { text += bytes; };
  }

  std::optional<util::TempDir> dir_;
  test::DirectSandbox sandbox_;
  std::optional<Context> context_;
  std::string output_;
};

TEST_F(Phases, DetectGivesTheFirstLineAndKeepsStderrApart) {
  const auto pack = make("ruby", {{"bin/detect", "echo \"Ruby in $1\"; echo second; echo why >&2"}});
  const auto name = detect(*context_, pack, into(output_), {});
  ASSERT_TRUE(name);
  EXPECT_EQ(**name, "Ruby in " + (root() / "build").string());
  EXPECT_EQ(output_, "why\n");
}

TEST_F(Phases, DetectWithoutOutputHasTheBuildpacksName) {
  EXPECT_EQ(**detect(*context_, make("ruby", {}), into(output_), {}), "ruby");
}

TEST_F(Phases, DetectNamesAreFitForALog) {
  const auto pack =
      make("x", {{"bin/detect", R"(printf '\033[31mRed\007\r\n'; head -c 300000 /dev/zero | tr '\0' x)"}});
  EXPECT_EQ(**detect(*context_, pack, into(output_), {}), "[31mRed");
}

TEST_F(Phases, AnyOtherExitOfDetectIsNotMine) {
  EXPECT_EQ(*detect(*context_, make("a", {{"bin/detect", "echo no; exit 1"}}), into(output_), {}), std::nullopt);
  EXPECT_EQ(*detect(*context_, make("b", {{"bin/detect", "exit 77"}}), into(output_), {}), std::nullopt);
  EXPECT_EQ(output_, "");
  EXPECT_EQ(*detect(*context_, make("c", {{"bin/detect", "kill -SEGV $$"}}), into(output_), {}), std::nullopt);
  EXPECT_THAT(output_, HasSubstr("bin/detect of c was ended by signal 11"));
}

TEST_F(Phases, WhatIsNoBuildpackIsNamedWithTheRemedy) {
  auto pack = make("bad", {});
  chmod((pack.directory / "bin/compile").c_str(), 0644);
  auto result = detect(*context_, pack, into(output_), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid);
  EXPECT_THAT(result.error().message, HasSubstr("bin/compile of buildpack bad (here) is not executable; run chmod +x"));
  std::filesystem::remove(pack.directory / "bin/detect");
  result = detect(*context_, pack, into(output_), {});
  EXPECT_THAT(result.error().message, HasSubstr("is not a buildpack: it has no bin/detect"));
}

TEST_F(Phases, CompileGetsTheThreeDirectoriesAndTheMergedStreamsInOrder) {
  const auto pack = make("p", {{"bin/compile", "echo \"$# $1 $2 $3\"; echo err >&2; echo out; exit 3"}});
  const auto exit = compile(*context_, pack, Purpose::deploy, {}, into(output_), {});
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 3);
  EXPECT_EQ(output_, fmt::format("3 {0}/build {0}/cache {0}/env\nerr\nout\n", root().string()));
}

TEST_F(Phases, CompileSeesTheEnvironmentAndNothingElse) {
  ::setenv("HEARTH_TEST_SECRET", "x", 1);
  ASSERT_TRUE(compile(*context_, make("p", {{"bin/compile", "env"}}), Purpose::deploy, {}, into(output_), {}));
  EXPECT_THAT(output_, HasSubstr("STACK=s\n"));
  EXPECT_THAT(output_, Not(HasSubstr("HEARTH_TEST_SECRET")));
  EXPECT_THAT(output_, Not(HasSubstr("hearth_")));
}

TEST_F(Phases, ExportsOfEarlierBuildpacksAreSourcedInOrder) {
  const auto first = make("first one", {{"export", "export A=1 ORDER=first; declare -x D=4; echo noise; set -- junk"}});
  const auto none = make("none", {});
  const auto second = make("second", {{"export", "export B=$((A + 1)) ORDER=$ORDER,second; unset hearth_none; false"}});
  const auto pack = make("p", {{"bin/compile", "echo $A $B $D $ORDER $#"}, {"export", "export A=own"}});
  ASSERT_TRUE(compile(*context_, pack, Purpose::deploy, {first, none, second}, into(output_), {}));
  EXPECT_EQ(output_, "noise\n1 2 4 first,second 3\n");
}

TEST_F(Phases, NamesAreNeverReadAsShell) {
  const auto odd = make("$(touch pwned) ; `touch pwned` \"'", {{"export", "export ODD=1"}});
  const auto pack = make("' $ODD", {{"bin/compile", "echo $ODD"}});
  ASSERT_TRUE(compile(*context_, pack, Purpose::deploy, {odd}, into(output_), {}));
  EXPECT_EQ(output_, "1\n");
  EXPECT_FALSE(std::filesystem::exists(root() / "build/pwned"));
}

TEST_F(Phases, ScriptsWithoutAnInterpreterLineRunAsAShellWould) {
  const auto pack = make("p", {});
  write(pack.directory / "bin/compile", "echo plain $#\n");
  ASSERT_TRUE(compile(*context_, pack, Purpose::deploy, {}, into(output_), {}));
  EXPECT_EQ(output_, "plain 3\n");
}

TEST_F(Phases, ForTestsATestCompileIsUsedWhereThereIsOne) {
  const auto with = make("with", {{"bin/compile", "echo compile"}, {"bin/test-compile", "echo test-compile $#"}});
  const auto without = make("without", {{"bin/compile", "echo compile"}});
  EXPECT_EQ(compile_script(with, Purpose::test), "bin/test-compile");
  EXPECT_EQ(compile_script(with, Purpose::deploy), "bin/compile");
  EXPECT_EQ(compile_script(without, Purpose::test), "bin/compile");
  ASSERT_TRUE(compile(*context_, with, Purpose::test, {}, into(output_), {}));
  ASSERT_TRUE(compile(*context_, without, Purpose::test, {}, into(output_), {}));
  EXPECT_EQ(output_, "test-compile 3\ncompile\n");
  chmod((with.directory / "bin/test-compile").c_str(), 0644);
  const auto refused = compile(*context_, with, Purpose::test, {}, into(output_), {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("bin/test-compile of buildpack with (here) is not executable"));
}

TEST_F(Phases, TestsRunWithTheProfileAndTheirExitCodeIsHandedOn) {
  const auto pack = make("p", {{"bin/test", "echo \"$# $1 $2 $A $PWD\"; exit 5"}});
  context_->environment.emplace_back("HOME", context_->paths.build.string());
  write(root() / "build/.profile.d/a.sh", "export A=1; set -- junk\n");
  EXPECT_TRUE(*has_tests(pack));
  EXPECT_FALSE(*has_tests(make("none", {})));
  const auto exit = test(*context_, pack, into(output_), {});
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 5);
  EXPECT_EQ(output_, fmt::format("2 {0}/build {0}/env 1 {0}/build\n", root().string()));
  output_.clear();
  ASSERT_TRUE(run_line(*context_, "echo \"$A\" | tr 1 2", into(output_), {}));
  EXPECT_EQ(output_, "2\n");
  chmod((pack.directory / "bin/test").c_str(), 0644);
  EXPECT_EQ(has_tests(pack).error().kind, ErrorKind::invalid);
}

TEST_F(Phases, HooksRunInTheBuildDirectoryWithExports) {
  const auto pack = make("p", {{"export", "export A=1"}});
  EXPECT_EQ(run_hook(*context_, "bin/pre-compile", {pack}, into(output_), {})->code, 0);
  write(root() / "build/bin/pre-compile", "#!/bin/bash\necho $A $PWD; exit 4\n");
  write(root() / "build/bin/post-compile", "echo post\n", 0644);
  EXPECT_EQ(run_hook(*context_, "bin/pre-compile", {pack}, into(output_), {})->code, 4);
  EXPECT_EQ(run_hook(*context_, "bin/post-compile", {pack}, into(output_), {})->code, 0);
  EXPECT_EQ(output_, fmt::format("1 {}/build\npost\n", root().string()));
}

TEST_F(Phases, ReleaseIsRead) {
  const auto earlier = make("e", {{"export", "export X=fromexport; echo noise"}});
  const auto pack = make("p", {{"bin/release", R"(cat <<YAML
---
addons:
  - plan: heroku-postgresql
    as: DATABASE
config_vars:
  PATH: bin:/usr/bin
  PORT: 0080
  ON: yes
  NOTHING:
  X: $X
default_process_types:
  web: "run: it"
unknown: [1, {a: 2}]
YAML
echo warn >&2)"}});
  const auto said = release(*context_, pack, {earlier}, into(output_), {});
  ASSERT_TRUE(said) << said.error().message;
  EXPECT_THAT(said->config_vars, ElementsAre(Pair("ON", "yes"), Pair("PATH", "bin:/usr/bin"), Pair("PORT", "0080"),
                                             Pair("X", "fromexport")));
  EXPECT_THAT(said->default_process_types, ElementsAre(Pair("web", "run: it")));
  EXPECT_EQ(output_, "noise\nwarn\n");
}

TEST_F(Phases, AbsentAndEmptyReleasesAreFine) {
  EXPECT_TRUE(release(*context_, make("none", {}), {}, into(output_), {}));
  EXPECT_TRUE(release(*context_, make("silent", {{"bin/release", "true"}}), {}, into(output_), {}));
  EXPECT_TRUE(release(*context_, make("dashes", {{"bin/release", "echo ---"}}), {}, into(output_), {}));
  EXPECT_TRUE(release(*context_, make("braces", {{"bin/release", "echo '--- {}'"}}), {}, into(output_), {}));
  const auto pack = make("empty", {});
  write(pack.directory / "bin/release", "");
  EXPECT_TRUE(release(*context_, pack, {}, into(output_), {}));
  EXPECT_EQ(output_, "");
}

TEST_F(Phases, AReleaseThatIsNotExecutableIsLeftOutWithAWord) {
  const auto pack = make("p", {});
  write(pack.directory / "bin/release", "echo 'config_vars: {A: b}'", 0644);
  EXPECT_THAT(release(*context_, pack, {}, into(output_), {})->config_vars, IsEmpty());
  EXPECT_THAT(output_, HasSubstr("not executable"));
}

TEST_F(Phases, AReleaseThatFailsOrPrintsGarbageIsInvalidAndSaysWhere) {
  const auto message = [&](const std::string& script) {
    const auto said = release(*context_, make("p", {{"bin/release", script}}), {}, into(output_), {});
    return said ? "no error" : said.error().message;
  };
  EXPECT_THAT(message("exit 9"), HasSubstr("bin/release of p exited with 9"));
  EXPECT_THAT(message("echo 'a: [1'; echo '}'"), HasSubstr("(line 2, column"));
  EXPECT_THAT(message("echo hello world"), HasSubstr("a map with"));
  EXPECT_THAT(message("printf 'config_vars:\\n  - x\\n'"), HasSubstr("'config_vars' must be a map (line 2"));
  EXPECT_THAT(message("printf 'config_vars:\\n  A: {b: c}\\n'"), HasSubstr("'A' in 'config_vars' must be text"));
  EXPECT_THAT(message("head -c 2000000 /dev/zero | tr '\\0' x"), HasSubstr("more than 1 MiB"));
}

TEST(ReleaseYaml, HostileDocumentsAreRefusedOrHarmless) {
  EXPECT_FALSE(parse_release(std::string(20000, '[')));
  EXPECT_FALSE(parse_release("config_vars: *none\n"));
  const auto binary = parse_release(std::string("a: \0b\n\xff\xfe", 8));
  EXPECT_TRUE(!binary || binary->config_vars.empty());
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 60; ++i) bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  EXPECT_TRUE(parse_release(bomb));
  EXPECT_FALSE(parse_release(bomb + "config_vars: *a59\n"));
}

TEST_F(Phases, ReportGivesKeyValuesWithoutSourcingExports) {
  const auto pack = make("p", {{"bin/report", "echo 'a: 1'; echo 'b: \"two\"'; echo 'c: [3]'; echo 'd:'; echo x >&2"}});
  EXPECT_THAT(report(*context_, pack, {}), ElementsAre(Pair("a", "1"), Pair("b", "two")));
  const auto json = make("j", {{"bin/report", R"(echo '{"node": "20.1", "count": 3}')"}});
  EXPECT_THAT(report(*context_, json, {}), ElementsAre(Pair("count", "3"), Pair("node", "20.1")));
}

TEST_F(Phases, AReportThatFailsIsEmpty) {
  EXPECT_THAT(report(*context_, make("none", {}), {}), IsEmpty());
  EXPECT_THAT(report(*context_, make("fails", {{"bin/report", "echo 'a: 1'; exit 1"}}), {}), IsEmpty());
  EXPECT_THAT(report(*context_, make("garbage", {{"bin/report", "echo '}{'"}}), {}), IsEmpty());
}

TEST_F(Phases, AStopEndsAPhaseAsCancelled) {
  std::stop_source source;
  source.request_stop();
  const auto name = detect(*context_, make("p", {{"bin/detect", "sleep 100"}}), into(output_), source.get_token());
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace hearth::buildpack
