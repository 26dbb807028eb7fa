#include "store/open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "store/contract.h"
#include "store/local_factory.h"
#include "store/stall.h"
#include "support/http_double.h"
#include "util/text.h"

namespace hearth::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Sets a variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (value != nullptr) ::setenv(name, value, 1);
    if (value == nullptr) ::unsetenv(name);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (old_) ::setenv(name_, old_->c_str(), 1);
    if (!old_) ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(Open, TakesAPathAndAUrlOfTheSameDirectory) {
  const auto directory = temporary_directory();
  const std::string path = directory->path().native() + "/with space/%41";
  auto by_path = open(path);
  ASSERT_TRUE(by_path) << by_path.error().message;
  ASSERT_TRUE(by_path->store->put(key("a"), bytes_of("1"), Condition::none(), {}));
  for (const char* scheme : {"file://", "file://localhost"}) {
    auto by_url = open(scheme + directory->path().native() + "/with%20space/%2541/");
    ASSERT_TRUE(by_url) << by_url.error().message;
    EXPECT_TRUE(by_url->store->get(key("a"), {}, {}));
    EXPECT_EQ(by_url->store->description(), "file://" + path);
    EXPECT_EQ(by_url->meter->read().bytes_in, 1U);
  }
}

TEST(Open, CreatesADirectoryForItsOwnerAlone) {
  const auto directory = temporary_directory();
  ASSERT_TRUE(open((directory->path() / "new" / "store").native()));
  const auto mode = std::filesystem::status(directory->path() / "new" / "store").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_all);
}

TEST(Open, RefusesWhatItCannotUse) {
  for (const char* url : {"", "relative/path", "file:/x", "file://host/x", "file://x", "file:///a?b", "file:///a#b",
                          "file:///%zz", "file:///a%00b", "user:secret@host", "FILE:///x"}) {
    const auto opened = open(url);
    ASSERT_FALSE(opened) << url;
    EXPECT_EQ(opened.error().kind, ErrorKind::invalid) << url;
    EXPECT_THAT(opened.error().message, Not(HasSubstr("secret")));
  }
}

TEST(Open, TakesABucketWithoutAskingTheServer) {
  const Variable none("AWS_CONFIG_FILE", "/nonexistent");
  const auto opened = open("s3://bucket/some/prefix?endpoint=http://127.0.0.1:1");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->store->description(), "s3://bucket/some/prefix");
  EXPECT_EQ(open("gs://bucket/some/prefix?location=eu")->store->description(), "gs://bucket/some/prefix");
  for (const char* url : {"gs://bucket?regoin=x", "gs://b?endpoint=http://far/secret", "s3://bucket?regoin=x", "s3://",
                          "s3://key:secret@bucket", "s3://bucket?endpoint=secret"}) {
    const auto refused = open(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
  }
}

TEST(Open, TakesAContainerWithoutAskingTheServer) {
  const auto opened = open("azblob://box/some/prefix?account=acc&endpoint=http://127.0.0.1:1");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->store->description(), "azblob://box/some/prefix");
  for (const char* url : {"azblob://box?account=acc&key=secret", "azblob://", "azblob://acc:secret@box",
                          "azblob://box?account=acc&endpoint=secret"}) {
    const auto refused = open(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
    EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
  }
}

// A store at the server, whose user bears three seconds without progress.
OpenStore open_beside(const support::HttpDouble& server, const std::string& more) {
  const std::string url = fmt::format("s3://bucket?endpoint={}{}", util::percent_encode(server.origin()), more);
  OpenOptions options;
  options.stall = std::chrono::seconds(3);
  return open(url, options).value();
}

// The first answer stops in the middle.
support::Reply stalls_once(const support::SeenRequest& request) {
  support::Reply answer = support::reply(200, std::string(1000, 'x'),
                                         "ETag: \"1\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                         "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  if (request.connection > 1) return answer;
  answer.bytes.resize(answer.bytes.size() - 500);
  answer.then = support::Then::stall;
  return answer;
}

TEST(Open, OneStalledConnectionIsReplacedBeforeTheStoreCountsAsStalled) {
  const Variable none("AWS_CONFIG_FILE", "/nonexistent");
  const Variable id("AWS_ACCESS_KEY_ID", "ACCESS");
  const Variable secret("AWS_SECRET_ACCESS_KEY", "hidden");
  const support::HttpDouble server(stalls_once);
  OpenStore opened = open_beside(server, "");
  Watched watched(std::move(opened.store), opened.meter);
  const StallWatch watch(watched, std::chrono::seconds(3), {});
  const auto object = watched.get(key("a"), {}, watch.token());
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->bytes.size(), 1000U);
  EXPECT_FALSE(watch.stalled());
  EXPECT_EQ(opened.meter->read().retries, 1U);
  EXPECT_EQ(server.connections(), 2);
}

TEST(Open, WhatTheUrlSaysOfARequestsOwnLimitCounts) {
  const Variable none("AWS_CONFIG_FILE", "/nonexistent");
  const Variable id("AWS_ACCESS_KEY_ID", "ACCESS");
  const Variable secret("AWS_SECRET_ACCESS_KEY", "hidden");
  const support::HttpDouble server(stalls_once);
  OpenStore patient = open_beside(server, "&progress-timeout=1h");
  Watched watched(std::move(patient.store), patient.meter);
  const StallWatch watch(watched, std::chrono::milliseconds(300), {});
  EXPECT_EQ(watched.get(key("a"), {}, watch.token()).error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(watch.stalled());
}

TEST(Open, NamesTheKnownSchemes) {
  for (const char* scheme : {"ftp", "s4"}) {
    const auto opened = open(std::string(scheme) + "://user:secret@bucket/prefix");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::invalid);
    EXPECT_EQ(opened.error().message,
              std::string(scheme) +
                  ":// is not supported by this version; known: file://, s3://, gs://, azblob://, swift://");
  }
}

TEST(DefaultUrl, FollowsXdg) {
  const Variable home("HOME", "/home/ann");
  {
    const Variable data("XDG_DATA_HOME", "/data/a b%");
    EXPECT_EQ(default_url().value(), "file:///data/a%20b%25/hearth/store");
  }
  for (const char* value : {static_cast<const char*>(nullptr), "", "relative"}) {
    const Variable data("XDG_DATA_HOME", value);
    EXPECT_EQ(default_url().value(), "file:///home/ann/.local/share/hearth/store");
  }
}

TEST(DefaultUrl, NeedsOneOfTheVariables) {
  const Variable home("HOME", nullptr);
  const Variable data("XDG_DATA_HOME", nullptr);
  const auto url = default_url();
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().kind, ErrorKind::invalid);
  EXPECT_THAT(url.error().message, AllOf(HasSubstr("HOME"), HasSubstr("XDG_DATA_HOME")));
}

}  // namespace
}  // namespace hearth::store
