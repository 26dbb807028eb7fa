#include "fetch/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "util/file.h"

namespace hearth::fetch {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Case {
  const char* text;
  Medium medium;
  const char* location;
  const char* revision;
};

TEST(Reference, RemotesAreToldByTheirForm) {
  const Case cases[] = {
      {"https://host/a/b", Medium::git, "https://host/a/b", ""},
      {"https://host/a/b.git#v1.2", Medium::git, "https://host/a/b.git", "v1.2"},
      {"https://host/a#feature/x", Medium::git, "https://host/a", "feature/x"},
      {"https://host/a#", Medium::git, "https://host/a", ""},
      {"  https://user:pass@host/a \r", Medium::git, "https://user:pass@host/a", ""},
      {"ssh://git@host:22/a#main", Medium::git, "ssh://git@host:22/a", "main"},
      {"git@host:a/b.git#0123abc", Medium::git, "git@host:a/b.git", "0123abc"},
      {"https://host/a.tgz", Medium::tarball, "https://host/a.tgz", ""},
      {"https://host/a.tar.gz?token=1", Medium::tarball, "https://host/a.tar.gz?token=1", ""},
      {"https://host/a.tbz", Medium::tarball, "https://host/a.tbz", ""},
      {"https://host/a.tar.bz", Medium::tarball, "https://host/a.tar.bz", ""},
      {"https://host/a.tar", Medium::tarball, "https://host/a.tar", ""},
  };
  for (const Origin origin : {Origin::operator_named, Origin::app_named}) {
    for (const Case& c : cases) {
      const auto reference = parse_reference(c.text, origin);
      ASSERT_TRUE(reference) << c.text << ": " << reference.error().message;
      EXPECT_EQ(reference->medium, c.medium) << c.text;
      EXPECT_EQ(reference->location, c.location);
      EXPECT_EQ(reference->revision, c.revision);
    }
  }
}

TEST(Reference, HostileTextIsRefusedWhoeverWroteIt) {
  for (const char* text :
       {"", "  ", "-x", "--upload-pack=touch", "https://host/a#--upload-pack=touch x", "https://host/a#-x",
        "https://host/a#a b", "https://host/a#a:b", "https://host/a#+a", "https://host/a#a..b", "https://host/a#*",
        "https://host/a\nb", "ssh://-oProxyCommand=x/a", "https:///a", "ext::sh -c touch% x", "ext://x",
        "git@-oProxyCommand=x:a", "ftp://host/a.tgz", "git://host/a"}) {
    for (const Origin origin : {Origin::operator_named, Origin::app_named}) {
      const auto reference = parse_reference(text, origin);
      const bool refused = !reference || reference->medium == Medium::directory;
      EXPECT_TRUE(refused) << text;
      if (!reference) {
        EXPECT_EQ(reference.error().kind, ErrorKind::invalid) << text;
      }
    }
  }
}

TEST(Reference, AnAppMayNotNameThisMachine) {
  for (const char* text : {"file:///srv/x", "FILE:///srv/x", "/srv/x", "../x", "a/../../x", "~/x", "http://host/a",
                           "http://host/a.tgz", "ext::sh -c x"}) {
    const auto reference = parse_reference(text, Origin::app_named);
    ASSERT_FALSE(reference) << text;
    EXPECT_EQ(reference.error().kind, ErrorKind::invalid);
  }
  const auto inside = parse_reference("buildpacks/mine", Origin::app_named);
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->medium, Medium::directory);
}

TEST(Reference, TheOperatorsPathsAreToldByWhatIsOnDisk) {
  auto dir = util::TempDir::create(testing::TempDir(), "ref-");
  ASSERT_TRUE(dir);
  const std::string root = dir->path().string();
  std::filesystem::create_directories(dir->path() / "repo/.git");
  std::filesystem::create_directories(dir->path() / "bare.git/objects");
  ASSERT_TRUE(util::write_file(dir->path() / "bare.git/HEAD", "x"));
  std::filesystem::create_directories(dir->path() / "odd#name");
  std::filesystem::create_directories(dir->path() / "plain");
  const auto medium = [&](const std::string& text) { return parse_reference(text, Origin::operator_named)->medium; };
  EXPECT_EQ(medium(root + "/plain"), Medium::directory);
  EXPECT_EQ(medium(root + "/odd#name"), Medium::directory);
  EXPECT_EQ(medium(root + "/repo"), Medium::directory);
  EXPECT_EQ(medium(root + "/repo#main"), Medium::git);
  EXPECT_EQ(medium(root + "/bare.git"), Medium::git);
  EXPECT_EQ(medium("file://" + root + "/repo"), Medium::git);
  EXPECT_EQ(medium("file://" + root + "/plain"), Medium::directory);
  EXPECT_EQ(parse_reference("file://" + root + "/repo#v1", Origin::operator_named)->location, root + "/repo");
  EXPECT_EQ(medium("http://host/a"), Medium::git);
}

TEST(Reference, UserinfoIsMaskedEverywhere) {
  EXPECT_EQ(masked("https://user:secret@host/x#r"), "https://***@host/x#r");
  EXPECT_EQ(masked("a https://t0ken@h/x, ssh://u@h b"), "a https://***@h/x, ssh://***@h b");
  EXPECT_EQ(masked("https://user:p/ss@host/x"), "https://***@host/x");
  EXPECT_EQ(masked("https://user:p@ss@host/x"), "https://***@host/x");
  EXPECT_EQ(masked("https://host:8080/a@b"), "https://host:8080/a@b");
  EXPECT_EQ(masked("git@host:a/b"), "git@host:a/b");
  EXPECT_EQ(masked("://"), "://");
}

TEST(Reference, QueriesAreMaskedToo) {
  EXPECT_EQ(masked("https://host/x.tgz?X-Amz-Signature=abc&a=b"), "https://host/x.tgz?***");
  EXPECT_EQ(masked("https://host/x?sv=1&sig=a#main"), "https://host/x?***#main");
  EXPECT_EQ(masked("https://host/x?sig=a#b#main"), "https://host/x?***#main");
  EXPECT_EQ(masked("https://u:p@host?sig=a"), "https://***@host?***");
  EXPECT_EQ(masked("unpacking https://host/x?sig=a: it is no tar"), "unpacking https://host/x?***: it is no tar");
  EXPECT_EQ(masked("'https://host/x?sig=a' and https://h/?b, what?"), "'https://host/x?***' and https://h/?***, what?");
  EXPECT_EQ(masked("https://host/x?to=https://u:p@other/y"), "https://host/x?***");
  EXPECT_EQ(masked("https://proxy/https://u:p@host/y?sig=a"), "https://proxy/https://***@host/y?***");
  EXPECT_EQ(masked("https://host/x?***#r"), "https://host/x?***#r");
  EXPECT_EQ(masked("https://host/x#r?"), "https://host/x#r?***");
  EXPECT_EQ(masked("what? no"), "what? no");
}

TEST(Reference, MessagesHoldNoSecret) {
  const auto reference = parse_reference("http://user:secret@host/a", Origin::app_named);
  ASSERT_FALSE(reference);
  EXPECT_THAT(reference.error().message, HasSubstr("http://***@host/a"));
  const auto signed_url = parse_reference("http://host/a?sig=secret", Origin::app_named);
  ASSERT_FALSE(signed_url);
  EXPECT_THAT(signed_url.error().message, Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace hearth::fetch
