#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "fetch/direct_sandbox.h"
#include "fetch/fetch.h"
#include "fetch/git_command.h"
#include "util/text.h"

namespace hearth::fetch {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Git : public testing::Test {
 protected:
  void SetUp() override {
    auto dir = util::TempDir::create(testing::TempDir(), "git-");
    ASSERT_TRUE(dir);
    dir_.emplace(std::move(*dir));
    access_ = {.sandbox = &sandbox_, .scratch = root() / "scratch", .environment = {}};
    shell(
        "git init -q -b main origin; cd origin; echo 1 > file; commit one; git tag -a v1 -m v1; "
        "echo 2 > file; commit two; git checkout -q -b side; echo 3 > file; commit three; git checkout -q main");
  }

  const std::filesystem::path& root() const { return dir_->path(); }

  // Runs a script in the test's folder, with a git that has an author; its trimmed output.
  std::string shell(const std::string& script) const {
    const std::string prelude =
        "set -e; export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
        "GIT_COMMITTER_EMAIL=a@b; commit() { git add -A; git commit -q -m \"$1\"; }; ";
    std::string output;
    test::DirectSandbox plain;
    const auto exit = plain.run({.argv = {"bash", "-c", prelude + script},
                                 .environment = {{"PATH", "/usr/bin:/bin"}},
                                 .directory = root(),
                                 .streams = sandbox::Streams::merged},
                                [&](std::string_view bytes) { output += bytes; }, {}, {});
    EXPECT_EQ(exit->code, 0) << script << "\n" << output;
    return std::string(util::trim(output));
  }

  Result<Checkout> fetch(const std::string& revision, Submodules submodules = Submodules::leave) {
    std::filesystem::remove_all(root() / "out");
    return fetch_git(access_, {Medium::git, (root() / "origin").string(), revision}, root() / "out", submodules, {});
  }

  std::string file(const std::string& name = "file") const { return *util::read_file(root() / "out" / name); }

  std::optional<util::TempDir> dir_;
  test::DirectSandbox sandbox_;
  GitAccess access_;
};

TEST_F(Git, BranchTagShaAndHeadAreCheckedOut) {
  const std::string one = shell("git -C origin rev-parse v1^{commit}");
  const std::string two = shell("git -C origin rev-parse main");
  const std::string three = shell("git -C origin rev-parse side");
  const std::map<std::string, std::pair<std::string, std::string>> expected = {
      {"", {two, "2\n"}},   {"main", {two, "2\n"}}, {"side", {three, "3\n"}},
      {"v1", {one, "1\n"}}, {one, {one, "1\n"}},    {one.substr(0, 8), {one, "1\n"}},
  };
  for (const auto& [revision, wanted] : expected) {
    const auto checkout = fetch(revision);
    ASSERT_TRUE(checkout) << revision << ": " << checkout.error().message;
    EXPECT_EQ(checkout->revision, wanted.first) << revision;
    EXPECT_EQ(file(), wanted.second) << revision;
    EXPECT_FALSE(std::filesystem::exists(root() / "out/.git"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(root() / "scratch"));
}

TEST_F(Git, TheRemotesRevisionIsToldWithoutAFetch) {
  const auto ask = [&](const std::string& revision) {
    return remote_revision(access_, {Medium::git, (root() / "origin").string(), revision}, {});
  };
  EXPECT_EQ(*ask(""), shell("git -C origin rev-parse main"));
  EXPECT_EQ(*ask("side"), shell("git -C origin rev-parse side"));
  EXPECT_EQ(*ask("v1"), shell("git -C origin rev-parse v1^{commit}"));
  EXPECT_EQ(ask("none").error().kind, ErrorKind::not_found);
  sandbox_.commands.clear();
  EXPECT_EQ(*ask(std::string(40, 'a')), std::string(40, 'a'));
  EXPECT_TRUE(sandbox_.commands.empty());
}

TEST_F(Git, WhatDoesNotExistIsNotFoundAndNamed) {
  for (const char* revision : {"none", "0123abcd", "0123456789012345678901234567890123456789"}) {
    const auto checkout = fetch(revision);
    ASSERT_FALSE(checkout);
    EXPECT_EQ(checkout.error().kind, ErrorKind::not_found) << checkout.error().message;
    EXPECT_THAT(checkout.error().message, AllOf(HasSubstr("/origin#"), HasSubstr(revision)));
  }
  const auto checkout = fetch_git(access_, {Medium::git, (root() / "no").string(), ""}, root() / "out", {}, {});
  EXPECT_EQ(checkout.error().kind, ErrorKind::not_found);
}

TEST_F(Git, AnUnreachableRemoteIsUnavailableAndItsUserinfoMasked) {
  const Reference reference{Medium::git, "https://user:secret@127.0.0.1:1/a", "main"};
  const auto checkout = fetch_git(access_, reference, root() / "out", Submodules::leave, {});
  ASSERT_FALSE(checkout);
  EXPECT_EQ(checkout.error().kind, ErrorKind::unavailable) << checkout.error().message;
  EXPECT_THAT(checkout.error().message, AllOf(HasSubstr("https://***@127.0.0.1:1/a#main"), Not(HasSubstr("secret"))));
  EXPECT_THAT(remote_revision(access_, reference, {}).error().message, Not(HasSubstr("secret")));
}

TEST_F(Git, ARepositorysOwnSettingsAreNotObeyed) {
  shell(
      "cd origin; cat > evil <<X\n#!/bin/sh\ntouch $PWD/../pwned; cat\nX\nchmod +x evil; mkdir -p .git/hooks; "
      "for h in post-checkout reference-transaction pre-receive post-update; do cp evil .git/hooks/$h; done; "
      "echo 'file filter=evil' > .gitattributes; commit attributes; rm -f ../pwned; "
      "git config core.fsmonitor $PWD/evil; git config uploadpack.packObjectsHook $PWD/evil; "
      "git config filter.evil.smudge $PWD/evil; git config core.sshCommand $PWD/evil");
  const auto checkout = fetch("main");
  ASSERT_TRUE(checkout) << checkout.error().message;
  EXPECT_EQ(file(), "2\n");
  EXPECT_FALSE(std::filesystem::exists(root() / "pwned"));
}

TEST_F(Git, GitSeesNothingOfOurEnvironment) {
  ::setenv("HEARTH_TEST_SECRET", "x", 1);
  access_.environment = {{"https_proxy", "http://p"}, {"GIT_ALLOW_PROTOCOL", "ext"}};
  ASSERT_TRUE(fetch(""));
  for (const auto& command : sandbox_.commands) {
    const std::map<std::string, std::string> environment(command.environment.begin(), command.environment.end());
    EXPECT_FALSE(environment.contains("HEARTH_TEST_SECRET"));
    EXPECT_EQ(environment.at("https_proxy"), "http://p");
    EXPECT_THAT(environment.at("GIT_ALLOW_PROTOCOL"), Not(HasSubstr("ext")));
  }
}

TEST_F(Git, RemoteHelpersAndFilesOfARemoteAreRefused) {
  for (const std::string& location :
       {"ext::sh -c touch% " + (root() / "pwned").string() + " @", "file://" + (root() / "origin").string()}) {
    const GitCommand git = *GitCommand::create(access_);
    const auto output = git.run({"ls-remote", "--", location}, git.folder(), Protocols::secure, {});
    ASSERT_FALSE(output);
    EXPECT_THAT(output.error().message, HasSubstr("not allowed"));
  }
  EXPECT_FALSE(std::filesystem::exists(root() / "pwned"));
}

TEST_F(Git, AWorktreeIsARepositoryToo) {
  shell("git -C origin worktree add -q ../tree side");
  const auto checkout = fetch_git(access_, {Medium::git, (root() / "tree").string(), ""}, root() / "out", {}, {});
  ASSERT_TRUE(checkout) << checkout.error().message;
  EXPECT_EQ(file(), "3\n");
}

TEST_F(Git, SubmodulesOfALocalRepositoryComeFromWhereTheyAreCheckedOut) {
  shell(
      "git init -q -b main lib; cd lib; echo lib > l; commit l; cd ../origin; "
      "git -c protocol.file.allow=always submodule --quiet add -b main $PWD/../lib deps/lib; commit sub; "
      "rm -rf ../lib");
  const auto with = fetch("main", Submodules::fetch);
  ASSERT_TRUE(with) << with.error().message;
  EXPECT_EQ(file("deps/lib/l"), "lib\n");
  EXPECT_FALSE(std::filesystem::exists(root() / "out/deps/lib/.git"));
  ASSERT_TRUE(fetch("main", Submodules::leave));
  EXPECT_FALSE(std::filesystem::exists(root() / "out/deps/lib/l"));
}

TEST_F(Git, SubmodulesCannotReachOtherFilesOfThisMachine) {
  shell(
      "git init -q -b main lib; cd lib; echo lib > l; commit l; cd ../origin; "
      "git -c protocol.file.allow=always submodule --quiet add -b main $PWD/../lib lib; commit sub; "
      "rm -rf .git/modules");
  const auto checkout = fetch("main", Submodules::fetch);
  ASSERT_FALSE(checkout);
  EXPECT_EQ(checkout.error().kind, ErrorKind::invalid);
  EXPECT_THAT(checkout.error().message, HasSubstr("submodules"));
}

TEST_F(Git, AStopEndsAFetchAsCancelled) {
  std::stop_source source;
  source.request_stop();
  const auto checkout = fetch_git(access_, {Medium::git, (root() / "origin").string(), ""}, root() / "out",
                                  Submodules::leave, source.get_token());
  ASSERT_FALSE(checkout);
  EXPECT_EQ(checkout.error().kind, ErrorKind::cancelled);
}

TEST(GitFailure, TellsWhatTheCallerCanDo) {
  const std::pair<const char*, ErrorKind> cases[] = {
      {"fatal: couldn't find remote ref x", ErrorKind::not_found},
      {"fatal: unable to access 'https://h/': Could not resolve host: h", ErrorKind::unavailable},
      {"fatal: unable to access 'https://h/': The requested URL returned error: 503", ErrorKind::unavailable},
      {"fatal: unable to access 'https://h/': The requested URL returned error: 403", ErrorKind::denied},
      {"remote: Repository not found.\nfatal: repository 'https://h/' not found", ErrorKind::not_found},
      {"git@h: Permission denied (publickey).\r\nfatal: Could not read from remote repository.\n\nPlease make sure",
       ErrorKind::denied},
      {"Host key verification failed.\r\nfatal: Could not read from remote repository.", ErrorKind::denied},
      {"", ErrorKind::unavailable},
  };
  for (const auto& [text, kind] : cases) EXPECT_EQ(read_failure(text).kind, kind) << text;
  EXPECT_EQ(read_failure("x\nfatal: repository 'https://u:p@h/' not found\nadvice\n").message,
            "repository 'https://***@h/' not found");
}

}  // namespace
}  // namespace hearth::fetch
