#include "buildpack/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "buildpack/app_files.h"
#include "buildpack/kept.h"
#include "buildpack/lists.h"
#include "buildpack/resolve.h"
#include "fetch/direct_sandbox.h"
#include "util/file.h"

namespace hearth::buildpack {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Selection : public testing::Test {
 protected:
  void SetUp() override {
    auto dir = util::TempDir::create(testing::TempDir(), "selection-");
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
    std::filesystem::create_directory(app());
    request_.aliases = {{"heroku/*", "https://host/heroku-buildpack-*"}};
    plan_ = {.git = {.sandbox = &sandbox_, .scratch = root() / "scratch", .environment = {}},
             .app_dir = app(),
             .checkout_dir = root() / "checkouts",
             .store_dir = root() / "kept",
             .store_bytes = 10'000'000,
             .owner = std::nullopt};
  }

  const std::filesystem::path& root() const { return dir_->path(); }
  std::filesystem::path app() const { return root() / "app"; }

  void write(const std::string& file, const std::string& text) const {
    ASSERT_TRUE(util::make_directories((root() / file).parent_path()));
    ASSERT_TRUE(util::write_file(root() / file, text));
  }

  void make_buildpack(const std::string& folder) const {
    for (const char* file : {"/bin/detect", "/bin/compile"}) {
      write(folder + file, "#!/bin/bash\n");
      ASSERT_EQ(chmod((root() / (folder + file)).c_str(), 0755), 0);
    }
  }

  // What a list of references from the given place brings.
  Result<std::vector<Buildpack>> get(Named named, const std::vector<std::string>& references) {
    std::filesystem::remove_all(plan_.checkout_dir);
    return fetch_all({named, references}, request_, plan_, {});
  }

  std::string message(Named named, const std::string& reference) {
    const auto result = get(named, {reference});
    return result ? "no error" : result.error().message;
  }

  std::optional<util::TempDir> dir_;
  test::DirectSandbox sandbox_;
  Request request_;
  FetchPlan plan_;
};

TEST_F(Selection, TheHighestRankThatNamesAnyWins) {
  const auto chosen = [&] { return choose(request_, app()); };
  EXPECT_EQ(chosen()->named, Named::detection);
  write("app/project.toml", "[[build.buildpacks]]\nuri = \"https://h/toml\"\n");
  EXPECT_EQ(chosen()->named, Named::project_toml);
  write("app/app.json", R"({"buildpacks": []})");
  EXPECT_EQ(chosen()->named, Named::project_toml);
  write("app/app.json", R"({"buildpacks": [{"url": "heroku/nodejs"}, {"url": "https://h/b"}]})");
  EXPECT_THAT(chosen()->references, ElementsAre("heroku/nodejs", "https://h/b"));
  write("app/.buildpacks", "# nothing here\n\n");
  EXPECT_EQ(chosen()->named, Named::app_json);
  write("app/.buildpacks", "https://h/a\n");
  EXPECT_EQ(chosen()->named, Named::dot_buildpacks);
  request_.config_vars = {{"BUILDPACK_URL", " "}};
  EXPECT_EQ(chosen()->named, Named::dot_buildpacks);
  request_.config_vars = {{"BUILDPACK_URL", " https://h/env#v1\n"}};
  EXPECT_THAT(chosen()->references, ElementsAre("https://h/env#v1"));
  EXPECT_EQ(chosen()->named, Named::buildpack_url);
  request_.named = {"one", "two"};
  EXPECT_THAT(chosen()->references, ElementsAre("one", "two"));
  EXPECT_EQ(chosen()->named, Named::command_line);
}

TEST(Lists, DotBuildpacks) {
  EXPECT_THAT(
      parse_dot_buildpacks("\xef\xbb\xbfhttps://h/a#v1\r\n\r\n# https://h/no\n  git@h:b # why\nhttps://h/c.tgz"),
      ElementsAre("https://h/a#v1", "git@h:b", "https://h/c.tgz"));
}

TEST(Lists, AppJson) {
  EXPECT_THAT(*parse_app_json(R"({"name": "x"})"), IsEmpty());
  EXPECT_THAT(*parse_app_json(R"({"buildpacks": ["heroku/a", {"url": "b"}]})"), ElementsAre("heroku/a", "b"));
  for (const char* text : {"", "{", "[]", R"({"buildpacks": 1})", R"({"buildpacks": [{}]})", R"({"buildpacks": [1]})",
                           R"({"buildpacks": [{"url": 1}]})"}) {
    const auto result = parse_app_json(text);
    ASSERT_FALSE(result) << text;
    EXPECT_THAT(result.error().message, HasSubstr("app.json"));
  }
  EXPECT_FALSE(parse_app_json(std::string(500'000, '[')));
}

TEST(Lists, AppJsonForTests) {
  const std::string both = R"({"buildpacks": ["a"], "environments": {"test": {"buildpacks": [{"url": "b"}]}}})";
  EXPECT_THAT(*parse_app_json(both, Purpose::deploy), ElementsAre("a"));
  EXPECT_THAT(*parse_app_json(both, Purpose::test), ElementsAre("b"));
  EXPECT_THAT(*parse_app_json(R"({"buildpacks": ["a"], "environments": 1})", Purpose::test), ElementsAre("a"));
  const auto settings = parse_test_settings(
      R"({"env": {"A": "1", "B": {"value": "2"}, "C": {"generator": "secret"}}, "scripts": {"test": "t", "test-setup": "s"},
          "environments": {"test": {"env": {"A": "3"}, "scripts": {"test": "u"}}}})");
  ASSERT_TRUE(settings);
  EXPECT_THAT(settings->env, ElementsAre(testing::Pair("A", "3"), testing::Pair("B", "2")));
  EXPECT_EQ(settings->setup, "s");
  EXPECT_EQ(settings->test, "u");
  EXPECT_EQ(parse_test_settings("{}")->test, "");
  EXPECT_FALSE(parse_test_settings(R"({"scripts": {"test": 1}})"));
  EXPECT_FALSE(parse_test_settings("[]"));
}

TEST(Lists, ProjectToml) {
  EXPECT_THAT(*parse_project_toml("[project]\nid = \"x\"\n"), IsEmpty());
  EXPECT_THAT(
      *parse_project_toml("[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuilder = \"b\"\n"
                          "[[io.buildpacks.group]]\nuri = \"https://h/a\"\n[[io.buildpacks.group]]\nuri = \"b\"\n"
                          "[[build.buildpacks]]\nuri = \"c\"\n"),
      ElementsAre("https://h/a", "b"));
  EXPECT_THAT(*parse_project_toml("[build]\nbuildpacks = [{uri = \"c\"}]\n"), ElementsAre("c"));
  EXPECT_THAT(parse_project_toml("[[io.buildpacks.group]]\nid = \"heroku/java\"\n").error().message,
              AllOf(HasSubstr("heroku/java"), HasSubstr("Cloud Native Buildpack")));
  EXPECT_THAT(parse_project_toml("[project]\nbroken =\n").error().message, HasSubstr("project.toml: line 2"));
  EXPECT_FALSE(parse_project_toml("[[build.buildpacks]]\nversion = \"1\"\n"));
}

TEST_F(Selection, CloudNativeBuildpacksAreRefusedWithARemedy) {
  for (const char* reference : {"docker://docker.io/x/y", "urn:cnb:registry:heroku/nodejs"}) {
    request_.named = {reference};
    const auto choice = choose(request_, app());
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().kind, ErrorKind::invalid);
    EXPECT_THAT(choice.error().message, HasSubstr("Cloud Native Buildpack, which is not supported; use"));
  }
}

TEST_F(Selection, FilesThatLeadOutOfTheAppAreNotRead) {
  write("secret", "https://h/secret\n");
  std::filesystem::create_symlink(root() / "secret", app() / ".buildpacks");
  const auto absolute = choose(request_, app());
  ASSERT_FALSE(absolute);
  EXPECT_THAT(absolute.error().message, HasSubstr(".buildpacks leads out of the app"));
  std::filesystem::remove(app() / ".buildpacks");
  std::filesystem::create_symlink("../secret", app() / ".buildpacks");
  EXPECT_FALSE(choose(request_, app()));
  std::filesystem::remove(app() / ".buildpacks");
  ASSERT_EQ(mkfifo((app() / ".buildpacks").c_str(), 0600), 0);
  EXPECT_THAT(choose(request_, app()).error().message, HasSubstr("not a regular file"));
  std::filesystem::remove(app() / ".buildpacks");
  write("app/list", "https://h/inside\n");
  std::filesystem::create_symlink("list", app() / ".buildpacks");
  EXPECT_THAT(choose(request_, app())->references, ElementsAre("https://h/inside"));
  write("app/list", std::string(2'000'000, 'x'));
  EXPECT_THAT(choose(request_, app()).error().message, HasSubstr("larger than"));
}

TEST(Alias, ExactKeysBeforeTheLongestWildcard) {
  const std::map<std::string, std::string> aliases = {{"heroku/*", "https://h/heroku-buildpack-*"},
                                                      {"heroku/node*", "https://h/n-*"},
                                                      {"heroku/go", "https://h/go#main"}};
  EXPECT_EQ(alias("heroku/ruby", aliases), "https://h/heroku-buildpack-ruby");
  EXPECT_EQ(alias("heroku/ruby#v1", aliases), "https://h/heroku-buildpack-ruby#v1");
  EXPECT_EQ(alias("urn:buildpack:heroku/ruby", aliases), "https://h/heroku-buildpack-ruby");
  EXPECT_EQ(alias("heroku/nodejs", aliases), "https://h/n-js");
  EXPECT_EQ(alias("heroku/go#x", aliases), "https://h/go#x");
  for (const char* text : {"acme/x", "heroku", "heroku/a/b", "heroku/../x", "heroku/..", "./heroku/x", "heroku/-x"}) {
    EXPECT_EQ(alias(text, aliases), std::nullopt) << text;
  }
}

TEST(ShortName, IsFitForAFolder) {
  EXPECT_EQ(short_name("https://host/a/nodejs.git"), "nodejs");
  EXPECT_EQ(short_name("git@host:ruby.git"), "ruby");
  EXPECT_EQ(short_name("https://host/pack-1.0.tar.gz?x=/y"), "pack-1.0");
  EXPECT_EQ(short_name("/srv/build packs/01 x/"), "01_x");
  EXPECT_EQ(short_name(".."), "buildpack..");
}

TEST_F(Selection, InstalledBuildpacksComeInNameOrder) {
  for (const char* name : {"10_c", "02_b", "01_a"}) make_buildpack(fmt::format("installed/{}", name));
  write("installed/README", "x");
  write("installed/docs/x", "x");
  write("installed/.git/bin/x", "x");
  request_.installed = root() / "installed";
  const auto buildpacks = get(Named::detection, {});
  ASSERT_TRUE(buildpacks) << buildpacks.error().message;
  std::vector<std::string> names;
  for (const auto& buildpack : *buildpacks) names.push_back(buildpack.name);
  EXPECT_THAT(names, ElementsAre("01_a", "02_b", "10_c"));
  request_.installed = root() / "none";
  EXPECT_EQ(get(Named::detection, {}).error().kind, ErrorKind::not_found);
  request_.installed.clear();
  EXPECT_THAT(*get(Named::detection, {}), IsEmpty());
}

TEST_F(Selection, ADirectoryIsCopiedWithModesAndLinksWithoutItsHistory) {
  make_buildpack("packs/mine");
  write("packs/mine/.git/config", "x");
  std::filesystem::create_symlink("/nowhere", root() / "packs/mine/link");
  const auto buildpacks = get(Named::command_line, {(root() / "packs/mine").string()});
  ASSERT_TRUE(buildpacks) << buildpacks.error().message;
  const Buildpack& mine = buildpacks->front();
  EXPECT_EQ(mine.name, "mine");
  EXPECT_EQ(mine.directory, plan_.checkout_dir / "01-mine");
  EXPECT_EQ(std::filesystem::read_symlink(mine.directory / "link"), "/nowhere");
  EXPECT_FALSE(std::filesystem::exists(mine.directory / ".git"));
  struct stat status = {};
  ASSERT_EQ(stat((mine.directory / "bin/compile").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755U);
}

TEST_F(Selection, AnAppMayNameItsOwnDirectoriesOnly) {
  make_buildpack("app/packs/mine");
  make_buildpack("outside");
  ASSERT_TRUE(get(Named::dot_buildpacks, {"packs/mine", "./packs/mine"}));
  std::filesystem::create_symlink("../outside", app() / "link");
  EXPECT_THAT(message(Named::dot_buildpacks, "link"), HasSubstr("link leads out of the app"));
  for (const char* reference : {"../outside", "packs/../../outside", "/etc", "file:///etc", "http://h/x"}) {
    EXPECT_THAT(message(Named::buildpack_url, reference), HasSubstr("an app may name https://")) << reference;
  }
  EXPECT_THAT(message(Named::app_json, "acme/none"), HasSubstr("neither a known alias nor a directory in the app"));
  EXPECT_THAT(message(Named::command_line, (root() / "none").string()), HasSubstr("no such directory; expected"));
}

TEST_F(Selection, AGitBuildpackIsKeptByItsRevision) {
  make_buildpack("pack");
  const auto commit = [&](const std::string& text) {
    write("pack/file", text);
    const std::string script = fmt::format(
        "cd {}/pack && git init -q -b main . && git add -A && git -c user.name=a -c user.email=a@b commit -q -m x",
        root().string());
    ASSERT_EQ(std::system(script.c_str()), 0);
  };
  commit("1");
  const std::vector<std::string> reference = {"file://" + (root() / "pack").string()};
  const auto first = get(Named::command_line, reference);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->front().revision.size(), 40U);
  const auto commands_of = [&] {
    sandbox_.commands.clear();
    const auto result = get(Named::command_line, reference);
    EXPECT_TRUE(result);
    EXPECT_TRUE(std::filesystem::exists(plan_.checkout_dir / "01-pack/bin/detect"));
    return sandbox_.commands.size();
  };
  EXPECT_EQ(commands_of(), 1U);  // ls-remote alone
  commit("2");
  EXPECT_GT(commands_of(), 1U);
  EXPECT_EQ(*util::read_file(plan_.checkout_dir / "01-pack/file"), "2");
  plan_.store_dir = "/dev/null/kept";  // cannot be used, which is no reason to fail
  EXPECT_GT(commands_of(), 1U);
}

TEST_F(Selection, KeptTreesAreBoundedAndTheOldestGoesFirst) {
  write("tree/file", std::string(100'000, 'x'));
  const Kept kept(root() / "kept", 250'000);
  ASSERT_TRUE(kept.keep("url", "1", root() / "tree", {}));
  const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  for (const auto& entry : std::filesystem::directory_iterator(root() / "kept")) {
    std::filesystem::last_write_time(entry, long_ago);
  }
  for (const char* revision : {"2", "3"}) ASSERT_TRUE(kept.keep("url", revision, root() / "tree", {}));
  const auto is_kept = [&](const std::string& revision) {
    const bool found = *kept.copy_out("url", revision, root() / "out", std::nullopt, {});
    std::filesystem::remove_all(root() / "out");
    return found;
  };
  EXPECT_FALSE(is_kept("1"));
  EXPECT_TRUE(is_kept("2"));
  EXPECT_TRUE(is_kept("3"));
  EXPECT_FALSE(*kept.copy_out("other", "3", root() / "out", std::nullopt, {}));
  const Kept nothing("", 0);
  EXPECT_TRUE(nothing.keep("url", "1", root() / "tree", {}));
  EXPECT_FALSE(*nothing.copy_out("url", "1", root() / "out", std::nullopt, {}));
}

TEST_F(Selection, WhatADeadProcessLeftInTheKeptFolderIsRemoved) {
  write("kept/.new-dead/tree/x", "x");
  write("kept/.gone-dead/x", "x");
  write("tree/file", "x");
  ASSERT_TRUE(Kept(root() / "kept", 1'000'000).keep("url", "1", root() / "tree", {}));
  EXPECT_FALSE(std::filesystem::exists(root() / "kept/.new-dead"));
  EXPECT_FALSE(std::filesystem::exists(root() / "kept/.gone-dead"));
}

}  // namespace
}  // namespace hearth::buildpack
