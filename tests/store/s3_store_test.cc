#include "store/s3/s3_store.h"

#include <fmt/chrono.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "store/contract.h"
#include "store/fake_s3.h"
#include "store/s3/errors.h"
#include "store/s3/upload.h"

namespace hearth::store::s3 {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using support::Then;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Answered = std::optional<Reply>;

TEST(S3Store, APutIsSignedAndCarriesWhatTheServerChecks) {
  FakeS3 fake;
  S3Options options = fake.options();
  options.sse = "aws:kms";
  options.kms_key = "key-1";
  options.storage_class = "STANDARD_IA";
  S3Store store(options, FakeS3::keys());
  ASSERT_TRUE(store.put(key("a b/%2F+"), bytes_of("hello"), Condition::none(), {}));
  const SeenRequest seen = fake.server().requests().at(0);
  EXPECT_EQ(seen.target, "/bucket/pre/a%20b/%252F%2B");
  EXPECT_EQ(seen.header("x-amz-content-sha256"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(seen.header("content-md5"), "XUFAKrxLKna5cZ2REBfFkg==");
  EXPECT_EQ(seen.header("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(seen.header("x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
  EXPECT_EQ(seen.header("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(seen.header("x-amz-security-token"), "hidden-token");
  EXPECT_THAT(seen.header("authorization"), HasSubstr("Credential=ACCESS/"));
  EXPECT_THAT(seen.header("authorization"), HasSubstr("content-md5;content-type;host;x-amz-content-sha256;x-amz-date"));
}

TEST(S3Store, CodesTellWhatTheCallerCanDo) {
  EXPECT_EQ(kind_of(404, "NoSuchKey"), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, ""), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, "NoSuchBucket"), ErrorKind::invalid);
  EXPECT_EQ(kind_of(403, "SignatureDoesNotMatch"), ErrorKind::denied);
  EXPECT_EQ(kind_of(400, "ExpiredToken"), ErrorKind::denied);
  EXPECT_EQ(kind_of(400, "BadDigest"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "RequestTimeout"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(503, "SlowDown"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(409, "OperationAborted"), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "InvalidArgument"), ErrorKind::invalid);
}

TEST(S3Store, FaultsOfTheServerAreUnavailableAndNeverAnObject) {
  const std::string head = "HTTP/1.1 200 X\r\nETag: \"a\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\n";
  const Reply faults[] = {{head + "Content-Length: 100\r\n\r\nhalf", Then::close},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::reset},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::stall},
                          {"", Then::reset},
                          FakeS3::error(500, "InternalError"),
                          FakeS3::error(503, "SlowDown"),
                          reply(429),
                          reply(200, "no etag")};
  for (const Reply& fault : faults) {
    FakeS3 fake;
    S3Options options = fake.options();
    options.http.limits.no_progress = std::chrono::milliseconds(100);
    S3Store store(options, FakeS3::keys());
    fake.before([&](const SeenRequest&) -> Answered { return fault; });
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object) << fault.bytes;
    EXPECT_EQ(object.error().kind, ErrorKind::unavailable) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
  }
}

// As a proxy does that leaves the Range out.
TEST(S3Store, AServerThatReturnsWholeObjectsIsUnavailable) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.set("pre/a", "0123456789");
  EXPECT_EQ(store.get(key("a"), {0, 10}, {})->bytes.size(), 10U);
  for (const ByteRange range : {ByteRange{3, 2}, ByteRange{3, 100}, ByteRange{0, 9}, ByteRange{20, 1}}) {
    const auto object = store.get(key("a"), range, {});
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().kind, ErrorKind::unavailable) << object.error().message;
  }
}

TEST(S3Store, AnErrorNamesOperationKeyCodeAndRequestAndCarriesRetryAfter) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.before([](const SeenRequest&) -> Answered {
    return reply(503, "<Error><Code>SlowDown</Code><RequestId>id-7</RequestId></Error>", "Retry-After: 4\r\n");
  });
  const auto object = store.get(key("apps/a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message, "apps/a: GET: the server answered 503 SlowDown (request id-7)");
  EXPECT_EQ(object.error().retry_after, std::chrono::seconds(4));
}

TEST(S3Store, AnAbsentBucketIsNoAbsentObject) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.before([](const SeenRequest&) -> Answered { return FakeS3::error(404, "NoSuchBucket"); });
  const auto object = store.get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::invalid);
  EXPECT_EQ(object.error().message, "a: GET: there is no bucket bucket; create it, or let --create-store do so");
}

TEST(S3Store, ListsPagesAndDecodesAndSkipsWhatIsNoKey) {
  FakeS3 fake;
  S3Store store = fake.store();
  const auto entry = [](const std::string& name) {
    return fmt::format(
        "<Contents><Key>{}</Key><LastModified>2024-06-01T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        "<Size>5</Size></Contents>",
        name);
  };
  fake.before([&](const SeenRequest& request) -> Answered {
    const bool first = !request.target.contains("continuation-token=go%20on");
    return reply(200, "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>" +
                          (first ? entry("pre%2Fa+b") + entry("pre/x%2B%25") + entry("pre/dir/") + entry("other/x")
                                 : entry("pre/z")) +
                          (first ? "<IsTruncated>true</IsTruncated><NextContinuationToken>go on</NextContinuationToken>"
                                 : "<IsTruncated>false</IsTruncated>") +
                          "</ListBucketResult>");
  });
  EXPECT_THAT(keys_below(store, ""), ElementsAre("a b", "x+%", "z"));
  EXPECT_THAT(fake.server().requests().at(0).target, HasSubstr("encoding-type=url"));
  EXPECT_THAT(fake.server().requests().at(0).target, HasSubstr("prefix=pre%2F"));
}

TEST(S3Store, ADamagedListingIsNoShorterOne) {
  for (const char* body :
       {"", "<ListBucketResult><Contents>", "<html/>", "<ListBucketResult><Contents/></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    FakeS3 fake;
    S3Store store = fake.store();
    fake.before([&](const SeenRequest&) -> Answered { return reply(200, body); });
    const auto nothing = [](const ObjectInfo&) -> Result<void> { return {}; };
    EXPECT_EQ(store.list({}, nothing, {}).error().kind, ErrorKind::unavailable) << body;
  }
}

TEST(S3Store, DeletesInBulkAndOneByOneWhereThatIsNotKnown) {
  std::vector<Key> keys;
  for (int i = 0; i < 251; ++i) keys.push_back(key(fmt::format("k{}", i)));
  {
    FakeS3 fake;
    S3Store store = fake.store();
    fake.before([](const SeenRequest&) -> Answered { return reply(200, "<DeleteResult/>"); });
    ASSERT_TRUE(store.remove_each(keys, {}));
    const auto seen = fake.server().requests();
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].target, "/bucket?delete=");
    EXPECT_THAT(seen[0].body, HasSubstr("<Object><Key>pre/k249</Key></Object>"));
    EXPECT_FALSE(seen[0].header("content-md5").empty());
  }
  FakeS3 fake;
  S3Store store = fake.store();
  fake.set("pre/k1", "x");
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.method == "POST") return FakeS3::error(501, "NotImplemented");
    return std::nullopt;
  });
  ASSERT_TRUE(store.remove_each(std::span(keys).first(2), {}));
  ASSERT_TRUE(store.remove_each(std::span(keys).first(2), {}));
  EXPECT_EQ(fake.methods(), "POST DELETE DELETE DELETE DELETE");
}

TEST(S3Store, AnObjectThatBulkDeletionLeavesIsAnError) {
  FakeS3 fake;
  S3Store store = fake.store();
  const std::vector<Key> keys = {key("a"), key("b")};
  fake.before([](const SeenRequest&) -> Answered {
    return reply(200, "<DeleteResult><Error><Key>pre/b</Key><Code>AccessDenied</Code></Error></DeleteResult>");
  });
  const auto removed = store.remove_each(keys, {});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, ErrorKind::denied);
}

// Each time other credentials of a session: ACCESS1, ACCESS2, …
std::vector<CredentialProvider> renewing(std::atomic<int>& asked) {
  return {{"the test", [&asked](const std::stop_token&) -> Result<std::optional<Credentials>> {
             return Credentials{fmt::format("ACCESS{}", ++asked), "s", "t", std::nullopt};
           }}};
}

TEST(S3Store, RegionClockAndTokensArePutRight) {
  FakeS3 fake;
  std::atomic<int> asked = 0;
  S3Store store(fake.options(), renewing(asked));
  fake.set("pre/a", "x");
  int step = 0;
  fake.before([&](const SeenRequest& request) -> Answered {
    switch (++step) {
      case 1:
        return FakeS3::error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>");
      case 2:
        EXPECT_THAT(request.header("authorization"), HasSubstr("/eu-west-1/s3/"));
        return FakeS3::error(400, "ExpiredToken");
      case 3:
        EXPECT_THAT(request.header("authorization"), HasSubstr("Credential=ACCESS2/"));
        return reply(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                     "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
      default:
        EXPECT_THAT(request.header("x-amz-date"), HasSubstr("19941106T0849"));
        return std::nullopt;
    }
  });
  const auto object = store.get(key("a"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(step, 4);
}

std::string now_in_http() {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(std::time(nullptr)));
}

// An answer to HEAD has no code.
TEST(S3Store, ARefusedHeadFromAnotherTimeIsSentAgainByThatClock) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.set("pre/a", "x");
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.header("x-amz-date").starts_with("19941106T0849")) return std::nullopt;
    return Reply{"HTTP/1.1 403 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", Then::close};
  });
  EXPECT_TRUE(store.stat(key("a"), {}));
  EXPECT_TRUE(store.stat(key("a"), {}));
  EXPECT_EQ(fake.methods(), "HEAD HEAD HEAD");
}

TEST(S3Store, ARefusedHeadFromOurTimeIsARefusal) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.before([](const SeenRequest&) -> Answered {
    return Reply{"HTTP/1.1 403 X\r\nDate: " + now_in_http() + "\r\n\r\n", Then::close};
  });
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::denied);
  EXPECT_EQ(fake.methods(), "HEAD");
}

TEST(S3Store, ABadHeadRenewsASessionTokenOnce) {
  FakeS3 fake;
  std::atomic<int> asked = 0;
  S3Store store(fake.options(), renewing(asked));
  fake.set("pre/a", "x");
  bool always = false;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (!always && request.header("authorization").contains("ACCESS2/")) return std::nullopt;
    return Reply{"HTTP/1.1 400 X\r\n\r\n", Then::close};
  });
  EXPECT_TRUE(store.stat(key("a"), {}));
  EXPECT_EQ(fake.methods(), "HEAD HEAD");
  always = true;
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(fake.methods(), "HEAD HEAD HEAD HEAD");
  S3Store without(fake.options(), {{"the test", [](const std::stop_token&) -> Result<std::optional<Credentials>> {
                                      return Credentials{"ACCESS", "s", "", std::nullopt};
                                    }}});
  EXPECT_FALSE(without.stat(key("a"), {}));
  EXPECT_EQ(fake.methods(), "HEAD HEAD HEAD HEAD HEAD");
}

TEST(S3Store, ARedirectToAnotherEndpointIsFollowedAndKept) {
  FakeS3 there;
  there.set("pre/a", "x");
  FakeS3 here;
  here.before([&](const SeenRequest&) -> Answered {
    return FakeS3::error(307, "TemporaryRedirect", fmt::format("<Endpoint>{}</Endpoint>", there.server().host()));
  });
  S3Store store = here.store();
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_TRUE(store.get(key("a"), {}, {}));
  EXPECT_EQ(here.server().requests().size(), 1U);
}

TEST(S3Store, AmazonsRedirectsStayWithAmazon) {
  FakeS3 there;
  FakeS3 here;
  here.before([&](const SeenRequest&) -> Answered {
    return FakeS3::error(307, "TemporaryRedirect", fmt::format("<Endpoint>{}</Endpoint>", there.server().host()));
  });
  S3Options options = here.options();
  options.is_amazon = true;
  S3Store store(options, FakeS3::keys());
  EXPECT_FALSE(store.get(key("a"), {}, {}));
  EXPECT_TRUE(there.server().requests().empty());
}

TEST(S3Store, ALoopOfRedirectsEnds) {
  FakeS3 fake;
  int step = 0;
  fake.before([&](const SeenRequest&) -> Answered {
    return FakeS3::error(400, "AuthorizationHeaderMalformed", fmt::format("<Region>r{}</Region>", ++step));
  });
  S3Store store = fake.store();
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::denied);
  EXPECT_EQ(step, 4);
}

TEST(S3Store, ABucketIsMadeOnlyWhereItIsAbsent) {
  FakeS3 fake;
  bool there = false;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (request.method == "HEAD")
      return Reply{there ? "HTTP/1.1 200 X\r\n\r\n" : "HTTP/1.1 404 X\r\n\r\n", Then::close};
    there = true;
    return reply(200);
  });
  S3Store store = fake.store();
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_EQ(fake.methods(), "HEAD PUT HEAD");
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.method == "HEAD") return Reply{"HTTP/1.1 404 X\r\n\r\n", Then::close};
    return FakeS3::error(409, "BucketAlreadyExists");
  });
  EXPECT_EQ(store.create_bucket({}).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace hearth::store::s3
