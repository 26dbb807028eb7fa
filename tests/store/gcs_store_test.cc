#include "store/gcs/gcs_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/fake_gcs.h"
#include "store/gcs/errors.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using support::Then;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(GcsStore, AStatusAndItsReasonTellWhatTheCallerCanDo) {
  EXPECT_EQ(kind_of(404, {"notFound", "No such object: bucket/a"}), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, {"notFound", "The specified bucket does not exist."}), ErrorKind::invalid);
  EXPECT_EQ(kind_of(404, {}), ErrorKind::not_found);
  EXPECT_EQ(kind_of(412, {"conditionNotMet", "At least one of the pre-conditions…"}), ErrorKind::conflict);
  EXPECT_EQ(kind_of(412, {}), ErrorKind::conflict);
  EXPECT_EQ(kind_of(401, {"authError", "Invalid Credentials"}), ErrorKind::denied);
  EXPECT_EQ(kind_of(403, {"forbidden", ""}), ErrorKind::denied);
  EXPECT_EQ(kind_of(403, {"rateLimitExceeded", ""}), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(403, {"userRateLimitExceeded", ""}), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(429, {}), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, {"invalid", R"(Provided CRC32C "a" doesn't match calculated CRC32C "b".)"}),
            ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, {"invalid", "Required"}), ErrorKind::invalid);
  EXPECT_EQ(kind_of(410, {"uploadBrokenConnection", ""}), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(500, {"backendError", ""}), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(503, {}), ErrorKind::unavailable);
}

TEST(GcsStore, AGetNamesTheObjectAndShowsATokenAndChecksTheContent) {
  HttpDouble server([](const SeenRequest&) { return content("hello", "hello"); });
  GcsStore store(options_at(server), tokens());
  const auto object = store.get(key("a b/%2F+"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(text_of(object->bytes), "hello");
  EXPECT_EQ(object->info.version.text, "7");
  EXPECT_EQ(object->info.now - object->info.modified, std::chrono::seconds(1));
  const SeenRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.target, "/storage/v1/b/bucket/o/pre%2Fa%20b%2F%252F%2B?alt=media");
  EXPECT_EQ(seen.header("authorization"), "Bearer token-1");
}

TEST(GcsStore, FaultsOfTheServerAreUnavailableAndNeverAnObject) {
  const std::string head = fmt::format("HTTP/1.1 200 X\r\nX-Goog-Generation: 7\r\n{}", kTimes);
  const Reply faults[] = {{head + "Content-Length: 100\r\n\r\nhalf", Then::close},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::reset},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::stall},
                          {"", Then::reset},
                          error(500, "backendError", ""),
                          error(403, "rateLimitExceeded", ""),
                          reply(429),
                          reply(200, "no generation"),
                          content("damaged", "other")};
  for (const Reply& fault : faults) {
    const HttpDouble server([&](const SeenRequest&) { return fault; });
    GcsOptions options = options_at(server);
    options.http.limits.no_progress = std::chrono::milliseconds(100);
    GcsStore store(options, {{"the test",
                              [](const std::stop_token&) -> Result<std::optional<Token>> { return Token{"hidden"}; }}});
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object) << fault.bytes;
    EXPECT_EQ(object.error().kind, ErrorKind::unavailable) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(GcsStore, AnErrorNamesOperationKeyReasonAndRequestAndCarriesRetryAfter) {
  const HttpDouble server([](const SeenRequest&) {
    return reply(503, R"({"error": {"message": "x", "errors": [{"reason": "backendError"}]}})",
                 "Retry-After: 4\r\nX-GUploader-UploadID: id-7\r\n");
  });
  GcsStore store(options_at(server), tokens());
  const auto object = store.get(key("apps/a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message, "apps/a: reading: the server answered 503 backendError (request id-7)");
  EXPECT_EQ(object.error().retry_after, std::chrono::seconds(4));
}

TEST(GcsStore, ARefusedTokenIsRenewedOnce) {
  HttpDouble server([](const SeenRequest& request) {
    if (request.header("authorization") == "Bearer token-2") return content("x", "x");
    return error(401, "authError", "Invalid Credentials");
  });
  GcsStore store(options_at(server), tokens());
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_EQ(server.requests().size(), 3U);
  HttpDouble never([](const SeenRequest&) { return error(401, "authError", "Invalid Credentials"); });
  GcsStore denied(options_at(never), tokens());
  EXPECT_EQ(denied.get(key("a"), {}, {}).error().kind, ErrorKind::denied);
  EXPECT_EQ(never.requests().size(), 2U);
}

TEST(GcsStore, AnEmulatorIsAskedWithoutAToken) {
  HttpDouble server([](const SeenRequest&) { return content("x", "x"); });
  GcsOptions options = options_at(server);
  options.login = Login::none;
  GcsStore store(options, tokens());
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_FALSE(server.requests().at(0).headers.contains("authorization"));
}

TEST(GcsStore, WhereANotFoundSaysNotWhatTheBucketIsLookedForOnce) {
  std::atomic<int> bucket_status = 404;
  HttpDouble server([&](const SeenRequest& request) {
    return request.target.contains("maxResults=1&") ? reply(bucket_status, "{}") : reply(404, "Not Found");
  });
  GcsStore store(options_at(server), tokens());
  const auto absent = store.get(key("a"), {}, {});
  EXPECT_EQ(absent.error().kind, ErrorKind::invalid);
  EXPECT_EQ(absent.error().message, "a: reading: there is no bucket bucket; create it, or let --create-store do so");
  bucket_status = 403;  // cannot be told
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
  bucket_status = 200;
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
  const std::size_t asked = server.requests().size();
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(store.remove(key("a"), {}));
  EXPECT_EQ(server.requests().size(), asked + 2);
}

TEST(GcsStore, WhatTheHeadersDoNotSayTheDescriptionOfThatGenerationDoes) {
  HttpDouble server([](const SeenRequest& request) {
    if (request.target.contains("alt=media")) return reply(200, "hello", "X-Goog-Generation: 7\r\n");
    return reply(200, resource("pre/a", "hello"), kTimes);
  });
  GcsStore store(options_at(server), tokens());
  const auto object = store.get(key("a"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->info.version.text, "7");
  EXPECT_EQ(object->info.modified, util::parse_utc_timestamp("2024-06-01T10:00:00Z"));
  EXPECT_THAT(server.requests().at(1).target, HasSubstr("&generation=7"));
}

TEST(GcsStore, ListsPagesAndSkipsWhatIsNoKey) {
  HttpDouble server([](const SeenRequest& request) {
    if (request.target.contains("pageToken=go%20on")) {
      return reply(200, fmt::format(R"({{"items": [{}]}})", resource("pre/z", "x")));
    }
    return reply(200, fmt::format(R"({{"items": [{}, {}, {}], "nextPageToken": "go on"}})", resource("pre/a b+%", "x"),
                                  resource("pre/dir/", ""), resource("other/x", "x")));
  });
  GcsStore store(options_at(server), tokens());
  EXPECT_THAT(keys_below(store, ""), ElementsAre("a b+%", "z"));
  EXPECT_THAT(server.requests().at(0).target, HasSubstr("&prefix=pre%2F"));
}

TEST(GcsStore, AListingThatDoesNotGoOnOrCannotBeReadIsUnavailable) {
  for (const char* page :
       {R"({"nextPageToken": "same"})", "[]", "{", R"({"items": 5})", R"({"items": [{"name": "a"}]})"}) {
    const HttpDouble server([&](const SeenRequest&) { return reply(200, page); });
    GcsStore store(options_at(server), tokens());
    const auto listed = store.list(Prefix(), [](const ObjectInfo&) -> Result<void> { return {}; }, {});
    ASSERT_FALSE(listed) << page;
    EXPECT_EQ(listed.error().kind, ErrorKind::unavailable);
  }
}

TEST(GcsStore, ABucketIsMadeOnceAndSomebodyElsesIsNotTaken) {
  std::atomic<int> created = 200;
  std::atomic<bool> there = false;
  HttpDouble server([&](const SeenRequest& request) {
    if (request.method == "POST") return reply(created, "{}");
    return there ? reply(200, "{}") : error(404, "notFound", "The specified bucket does not exist.");
  });
  GcsOptions options = options_at(server);
  EXPECT_EQ(GcsStore(options, tokens()).create_bucket({}).error().kind, ErrorKind::invalid);
  options.project = "p 1";
  options.location = "eu";
  EXPECT_TRUE(GcsStore(options, tokens()).create_bucket({}));
  const SeenRequest made = server.requests().back();
  EXPECT_EQ(made.target, "/storage/v1/b?project=p%201");
  EXPECT_THAT(made.body, HasSubstr(R"("location":"eu")"));
  EXPECT_THAT(made.body, HasSubstr(R"("name":"bucket")"));
  created = 409;
  EXPECT_EQ(GcsStore(options, tokens()).create_bucket({}).error().kind, ErrorKind::denied);
  there = true;
  const std::size_t asked = server.requests().size();
  EXPECT_TRUE(GcsStore(options, tokens()).create_bucket({}));
  EXPECT_EQ(server.requests().size(), asked + 1);
}

}  // namespace
}  // namespace hearth::store::gcs
