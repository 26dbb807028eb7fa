#include "store/azure/azure_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/azure/errors.h"
#include "store/azure/shared_key.h"
#include "store/contract.h"
#include "store/fake_azure.h"
#include "util/mac.h"

namespace hearth::store::azure {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using support::Then;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Answered = std::optional<Reply>;

Result<Version> put(ObjectStore& store, std::string_view text, const Condition& condition = Condition::none()) {
  return store.put(key("a"), bytes_of(text), condition, {});
}

// The example of "Authorize with Shared Key".
TEST(AzureStore, WhatIsSignedIsWhatTheDocumentationShows) {
  const Signable request{.method = "GET",
                         .path = "/mycontainer",
                         .query = {{"restype", "container"}, {"timeout", "20"}, {"comp", "metadata"}},
                         .headers = {{"x-ms-version", "2015-02-21"}, {"X-Ms-Date", " Fri, 26 Jun 2015 23:39:12 GMT "}},
                         .content_length = 0};
  EXPECT_EQ(string_to_sign(request, "myaccount"),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
            "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20");
}

TEST(AzureStore, EverythingThatMattersIsSigned) {
  const Signable request{.method = "PUT",
                         .path = "/acc/box/a%20b",
                         .query = {{"Include", "b"}, {"include", "a"}},
                         .headers = {{"Content-MD5", "m"},
                                     {"Content-Type", "t"},
                                     {"If-Match", "\"e\""},
                                     {"Range", "bytes=0-1"},
                                     {"x-ms-b", "2"},
                                     {"x-ms-a", "1"}},
                         .content_length = 5};
  EXPECT_EQ(string_to_sign(request, "acc"),
            "PUT\n\n\n5\nm\nt\n\n\n\"e\"\n\n\nbytes=0-1\nx-ms-a:1\nx-ms-b:2\n/acc/acc/box/a%20b\ninclude:a,b");
  const std::string key = "secret";
  const util::Digest mac = util::hmac_sha256(bytes_of(key), string_to_sign(request, "acc"));
  EXPECT_EQ(authorization(request, "acc", key), "SharedKey acc:" + util::to_base64(mac.bytes));
}

TEST(AzureStore, APutIsSignedAndCarriesWhatTheServerChecks) {
  FakeAzure fake;
  AzureOptions options = fake.options();
  options.access_tier = "Cool";
  AzureStore store(options, FakeAzure::with({AccountKey{"hidden-key"}}));
  ASSERT_TRUE(store.put(key("a b/%2F+"), bytes_of("hello"), Condition::none(), {}));
  const SeenRequest seen = fake.server().requests().at(0);
  EXPECT_EQ(seen.target, "/box/pre/a%20b/%252F%2B");
  EXPECT_EQ(seen.header("content-md5"), "XUFAKrxLKna5cZ2REBfFkg==");
  EXPECT_EQ(seen.header("x-ms-blob-type"), "BlockBlob");
  EXPECT_EQ(seen.header("x-ms-access-tier"), "Cool");
  EXPECT_EQ(seen.header("content-length"), "5");
  const Signable signable{.method = "PUT",
                          .path = seen.target,
                          .query = {},
                          .headers = {{"Content-MD5", seen.header("content-md5")},
                                      {"x-ms-access-tier", "Cool"},
                                      {"x-ms-blob-content-type", seen.header("x-ms-blob-content-type")},
                                      {"x-ms-blob-type", "BlockBlob"},
                                      {"x-ms-date", seen.header("x-ms-date")},
                                      {"x-ms-version", seen.header("x-ms-version")}},
                          .content_length = 5};
  EXPECT_EQ(seen.header("authorization"), authorization(signable, "acc", "hidden-key"));
}

TEST(AzureStore, ASignatureGoesIntoTheQueryAndATokenIntoTheHeader) {
  FakeAzure fake;
  AzureStore by_sas(fake.options(), FakeAzure::with({Sas{"sv=1&sig=hidden%3D"}}));
  ASSERT_TRUE(put(by_sas, "x"));
  EXPECT_EQ(fake.server().requests().at(0).target, "/box/pre/a?sv=1&sig=hidden%3D");
  EXPECT_EQ(fake.server().requests().at(0).header("authorization"), "");
  AzureStore by_token(fake.options(), FakeAzure::with({Bearer{"hidden"}}));
  ASSERT_TRUE(put(by_token, "x"));
  EXPECT_EQ(fake.server().requests().at(1).header("authorization"), "Bearer hidden");
  AzureOptions far = fake.options();
  far.endpoint = "http://blob.example";
  AzureStore in_the_open(far, FakeAzure::with({Bearer{"hidden"}}));
  EXPECT_EQ(put(in_the_open, "x").error().message,
            "a: PUT: a token is only sent over https, and the endpoint is http://");
}

TEST(AzureStore, CodesTellWhatTheCallerCanDo) {
  EXPECT_EQ(kind_of(404, "BlobNotFound"), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, ""), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, "ContainerNotFound"), ErrorKind::invalid);
  EXPECT_EQ(kind_of(403, "AuthenticationFailed"), ErrorKind::denied);
  EXPECT_EQ(kind_of(401, "InvalidAuthenticationInfo"), ErrorKind::denied);
  EXPECT_EQ(kind_of(409, "BlobAlreadyExists"), ErrorKind::conflict);
  EXPECT_EQ(kind_of(412, "ConditionNotMet"), ErrorKind::conflict);
  EXPECT_EQ(kind_of(412, "LeaseIdMissing"), ErrorKind::denied);
  EXPECT_EQ(kind_of(409, "BlobImmutableDueToPolicy"), ErrorKind::denied);
  EXPECT_EQ(kind_of(409, "ContainerBeingDeleted"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "Md5Mismatch"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "InvalidBlockList"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(503, "ServerBusy"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(500, "OperationTimedOut"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "InvalidUri"), ErrorKind::invalid);
}

TEST(AzureStore, ConditionsAreHonouredAndFalseOnesChangeNothing) {
  FakeAzure fake;
  AzureStore store = fake.store();
  EXPECT_EQ(put(store, "x", Condition::if_version({"0x1"})).error().kind, ErrorKind::conflict);
  const Version old = put(store, "old", Condition::if_absent()).value();
  EXPECT_EQ(put(store, "x", Condition::if_absent()).error().kind, ErrorKind::conflict);
  ASSERT_TRUE(put(store, "new", Condition::if_version(old)));
  EXPECT_EQ(put(store, "x", Condition::if_version(old)).error().kind, ErrorKind::conflict);
  EXPECT_EQ(fake.content("pre/a"), "new");
  fake.before([](const SeenRequest&) -> Answered { return FakeAzure::error(404, "BlobNotFound"); });
  EXPECT_EQ(put(store, "x", Condition::if_version(old)).error().kind, ErrorKind::conflict);
}

TEST(AzureStore, FaultsOfTheServerAreUnavailableAndNeverAnObject) {
  const std::string head = "HTTP/1.1 200 X\r\nETag: \"a\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\n";
  const Reply faults[] = {
      {head + "Content-Length: 100\r\n\r\nhalf", Then::close},
      {head + "Content-Length: 100\r\n\r\nhalf", Then::reset},
      {head + "Content-Length: 100\r\n\r\nhalf", Then::stall},
      {head + "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\nContent-Length: 5\r\n\r\nhellO", Then::keep},
      {"", Then::reset},
      FakeAzure::error(500, "InternalError"),
      FakeAzure::error(503, "ServerBusy"),
      reply(429),
      reply(200, "no etag")};
  for (const Reply& fault : faults) {
    FakeAzure fake;
    AzureOptions options = fake.options();
    options.http.limits.no_progress = std::chrono::milliseconds(100);
    AzureStore store(options, FakeAzure::with({Sas{"sig=hidden"}}));
    fake.before([&](const SeenRequest&) -> Answered { return fault; });
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object) << fault.bytes;
    EXPECT_EQ(object.error().kind, ErrorKind::unavailable) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(AzureStore, AContentWithTheMd5ThatItIsSaidToHaveIsTaken) {
  FakeAzure fake;
  AzureStore store = fake.store();
  fake.before([](const SeenRequest&) -> Answered {
    return reply(200, "hello",
                 "ETag: \"a\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\n"
                 "Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n");
  });
  EXPECT_TRUE(store.get(key("a"), {}, {}));
}

TEST(AzureStore, ARangeThatHoldsTheWholeIsCheckedToo) {
  FakeAzure fake;
  AzureStore store = fake.store();
  std::string md5 = "XUFAKrxLKna5cZ2REBfFkg==";
  fake.before([&](const SeenRequest&) -> Answered {
    return reply(206, "hello",
                 "ETag: \"a\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\nContent-Range: bytes 0-4/5\r\n"
                 "x-ms-blob-content-md5: " +
                     md5 + "\r\n");
  });
  EXPECT_TRUE(store.get(key("a"), {0, 100}, {}));
  md5 = "AAAAKrxLKna5cZ2REBfFkg==";
  EXPECT_EQ(store.get(key("a"), {0, 100}, {}).error().kind, ErrorKind::unavailable);
}

TEST(AzureStore, AConditionalPutWhoseAnswerGotLostIsNotSentAgain) {
  FakeAzure fake;
  AzureStore store = fake.store();
  ASSERT_TRUE(put(store, "keeps the connection"));
  int lost = 0;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (lost++ > 0) return std::nullopt;
    fake.set("pre/b", request.body);
    return Reply{"", Then::close};
  });
  const auto version = store.put(key("b"), bytes_of("mine"), Condition::if_absent(), {});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable) << version.error().message;
  EXPECT_EQ(lost, 1);
}

TEST(AzureStore, AnErrorNamesOperationKeyCodeAndRequestAndCarriesRetryAfter) {
  FakeAzure fake;
  AzureStore store = fake.store();
  fake.before([](const SeenRequest&) -> Answered { return FakeAzure::error(503, "ServerBusy", "Retry-After: 4\r\n"); });
  const auto object = store.get(key("apps/a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message, "apps/a: GET: the server answered 503 ServerBusy (request id-7)");
  EXPECT_EQ(object.error().retry_after, std::chrono::seconds(4));
}

TEST(AzureStore, AnAbsentContainerIsNoAbsentObject) {
  FakeAzure fake;
  AzureStore store = fake.store();
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.method != "HEAD") return reply(404, "<Error><Code>ContainerNotFound</Code></Error>");
    return Reply{"HTTP/1.1 404 X\r\nx-ms-error-code: ContainerNotFound\r\n\r\n", Then::close};
  });
  const auto object = store.get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::invalid);
  EXPECT_EQ(object.error().message, "a: GET: there is no container box; create it, or let --create-store do so");
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(store.remove(key("a"), {}).error().kind, ErrorKind::invalid);
}

std::string entry(const std::string& name, const std::string& more = "") {
  return fmt::format(
      "<Blob><Name>{}</Name><Properties><Last-Modified>Sat, 01 Jun 2024 10:00:00 GMT</Last-Modified><Etag>0x1</Etag>"
      "<Content-Length>5</Content-Length>{}</Properties></Blob>",
      name, more);
}

Reply page(const std::string& entries, const std::string& next = "") {
  return reply(200, fmt::format("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>{}"
                                "</Blobs><NextMarker>{}</NextMarker></EnumerationResults>",
                                entries, next));
}

TEST(AzureStore, ListsPagesAndSkipsWhatIsNoKey) {
  FakeAzure fake;
  AzureStore store = fake.store();
  fake.before([&](const SeenRequest& request) -> Answered {
    if (!request.target.contains("marker=")) return page("", "go on");  // a page may be empty
    if (request.target.contains("marker=go%20on")) {
      return page(entry("other/x") + entry("pre/ ") + entry("pre/a./b") + entry("pre/a.0!/b") + entry("pre/c&amp;d") +
                      entry("pre/d/") + entry("pre/dir", "<ResourceType>directory</ResourceType>"),
                  "2!xy=");
    }
    return page("<Blob><Name Encoded=\"true\">pre%2Fz</Name>" +
                entry("").substr(std::string("<Blob><Name></Name>").size()));
  });
  EXPECT_THAT(keys_below(store, ""), ElementsAre(" ", "a./b", "c&d", "z"));
  const auto requests = fake.server().requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].target, "/box?restype=container&comp=list&maxresults=5000&prefix=pre%2F");
  EXPECT_THAT(requests[2].target, HasSubstr("&marker=2%21xy%3D"));
}

TEST(AzureStore, ADamagedListingIsNoShorterOne) {
  const std::string no_size = "<Blob><Name>pre/a</Name><Properties><Etag>e</Etag></Properties></Blob>";
  for (const Reply& damaged : {reply(200),
                               reply(200, "<html/>"),
                               reply(200, "<EnumerationResults><Blobs>"),
                               reply(200, "<EnumerationResults/>"),
                               page("<Blob/>"),
                               page(no_size),
                               page(entry("pre/a"), "again"),
                               {"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n<Enum", Then::close}}) {
    FakeAzure fake;
    AzureStore store = fake.store();
    int asked = 0;
    fake.before([&](const SeenRequest&) -> Answered {
      return ++asked > 1 && damaged.bytes.contains("again") ? page(entry("pre/b"), "again") : damaged;
    });
    const auto nothing = [](const ObjectInfo&) -> Result<void> { return {}; };
    const auto listed = store.list({}, nothing, {});
    ASSERT_FALSE(listed) << damaged.bytes;
    EXPECT_EQ(listed.error().kind, ErrorKind::unavailable) << damaged.bytes;
  }
}

TEST(AzureStore, AnotherOrderIsNotTakenForOurs) {
  FakeAzure fake;
  AzureStore store = fake.store();
  fake.before([](const SeenRequest&) -> Answered { return page(entry("pre/a/b") + entry("pre/a-b")); });
  const auto nothing = [](const ObjectInfo&) -> Result<void> { return {}; };
  const auto listed = store.list({}, nothing, {});
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind, ErrorKind::invalid);
  EXPECT_THAT(listed.error().message, HasSubstr("hierarchical namespace"));
}

TEST(AzureStore, ManyAreRemovedSeveralAtATime) {
  FakeAzure fake;
  AzureStore store = fake.store();
  std::vector<Key> keys;
  for (int i = 0; i < 20; ++i) {
    keys.push_back(key(fmt::format("k{}", i)));
    if (i != 7) fake.set(fmt::format("pre/k{}", i), "x");
  }
  ASSERT_TRUE(store.remove_each(keys, {}));
  EXPECT_EQ(fake.server().requests().size(), keys.size());
  EXPECT_EQ(fake.server().requests().at(0).header("x-ms-delete-snapshots"), "include");
  EXPECT_EQ(store.stat(keys[3], {}).error().kind, ErrorKind::not_found);
  fake.before([](const SeenRequest&) -> Answered { return FakeAzure::error(403, "AuthorizationPermissionMismatch"); });
  EXPECT_EQ(store.remove_each(keys, {}).error().kind, ErrorKind::denied);
}

TEST(AzureStore, AnExpiredTokenIsRenewedOnce) {
  FakeAzure fake;
  fake.set("pre/a", "x");
  std::atomic<int> asked = 0;
  const std::vector<CredentialProvider> renewing = {
      {"the test", [&](const std::stop_token&) -> Result<std::optional<Credentials>> {
         return Credentials{Bearer{fmt::format("token{}", ++asked)}};
       }}};
  AzureStore store(fake.options(), renewing);
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.header("authorization") != "Bearer token2") return FakeAzure::error(401, "InvalidAuthenticationInfo");
    return std::nullopt;
  });
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_EQ(asked, 2);
  fake.before([](const SeenRequest&) -> Answered { return FakeAzure::error(401, "InvalidAuthenticationInfo"); });
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::denied);
  EXPECT_EQ(fake.server().requests().size(), 5U);
}

TEST(AzureStore, AWrongClockIsPutRight) {
  FakeAzure fake;
  fake.set("pre/a", "x");
  AzureStore store = fake.store();
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.header("x-ms-date").starts_with("Sun, 06 Nov 1994 08:49")) return std::nullopt;
    return FakeAzure::error(403, "AuthenticationFailed", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  });
  const auto object = store.get(key("a"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(fake.server().requests().size(), 2U);
}

TEST(AzureStore, AContainerIsMadeOnlyWhereItIsAbsent) {
  FakeAzure fake;
  bool there = false;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (request.method == "GET") return there ? page("") : FakeAzure::error(404, "ContainerNotFound");
    there = true;
    return reply(201);
  });
  AzureStore store = fake.store();
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_EQ(fake.methods(), "GET PUT GET");
  EXPECT_EQ(fake.server().requests().at(1).target, "/box?restype=container");
  const auto second_answer = [&](const Reply& answer) {
    fake.before([answer](const SeenRequest& request) -> Answered {
      return request.method == "GET" ? FakeAzure::error(404, "ContainerNotFound") : answer;
    });
  };
  second_answer(FakeAzure::error(409, "ContainerAlreadyExists"));
  EXPECT_TRUE(store.create_bucket({}));
  second_answer(FakeAzure::error(409, "ContainerBeingDeleted"));
  EXPECT_EQ(store.create_bucket({}).error().kind, ErrorKind::unavailable);
  fake.before([](const SeenRequest&) -> Answered { return FakeAzure::error(403, "AuthorizationFailure"); });
  EXPECT_EQ(store.create_bucket({}).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace hearth::store::azure
