#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/fake_azure.h"
#include "store/fake_gcs.h"
#include "store/fake_s3.h"
#include "store/fake_swift.h"
#include "store/metered.h"
#include "store/retrying.h"
#include "util/hash.h"

namespace hearth::store {
namespace {

using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;

Checksums checksums_of(ObjectStore& store) {
  const auto found = store.try_checksums(key("a"), {});
  EXPECT_TRUE(found) << found.error().message;
  return found.value_or(Checksums::absent);
}

TEST(TriedChecksums, OfS3AreMd5sBesideWhatIsRight) {
  s3::FakeS3 fake;
  s3::S3Store store = fake.store();
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  EXPECT_EQ(fake.methods(), "PUT");
  const SeenRequest seen = fake.server().requests().at(0);
  EXPECT_EQ(seen.header("x-amz-content-sha256"), util::sha256(seen.body).hex());
  EXPECT_FALSE(store.stat(key("a"), {}));
  fake.ignore_md5();
  EXPECT_EQ(checksums_of(store), Checksums::ignored);
  EXPECT_TRUE(store.stat(key("a"), {}));
}

TEST(TriedChecksums, OfAzureAreMd5s) {
  azure::FakeAzure fake;
  azure::AzureStore store = fake.store();
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  EXPECT_EQ(fake.methods(), "PUT");
  EXPECT_FALSE(store.stat(key("a"), {}));
  fake.ignore_md5();
  EXPECT_EQ(checksums_of(store), Checksums::ignored);
  EXPECT_TRUE(store.stat(key("a"), {}));
}

TEST(TriedChecksums, OfSwiftAreETags) {
  swift::FakeSwift fake;
  swift::SwiftStore store = fake.store();
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  EXPECT_FALSE(store.stat(key("a"), {}));
  fake.ignore_etag();
  EXPECT_EQ(checksums_of(store), Checksums::ignored);
  EXPECT_TRUE(store.stat(key("a"), {}));
}

TEST(TriedChecksums, OfGoogleAreCrcsInBothPlaces) {
  std::atomic<bool> looks = true;
  const HttpDouble server([&](const SeenRequest&) {
    return looks ? gcs::error(400, "invalid", "Provided CRC32C doesn't match calculated CRC32C.")
                 : reply(200, gcs::resource("pre/a", "x"));
  });
  gcs::GcsStore store(gcs::options_at(server), gcs::tokens());
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  const SeenRequest seen = server.requests().at(0);
  const std::string told = seen.header("x-goog-hash").substr(std::string("crc32c=").size());
  EXPECT_THAT(seen.body, HasSubstr(fmt::format(R"("crc32c":"{}")", told)));
  const std::size_t begin = seen.body.rfind("\r\n\r\n") + 4;
  EXPECT_NE(gcs::crc32c_of(seen.body.substr(begin, seen.body.find("\r\n", begin) - begin)), told);
  looks = false;
  EXPECT_EQ(checksums_of(store), Checksums::ignored);
  EXPECT_EQ(server.requests().size(), 2U);
}

// A refusal for another reason says nothing of checksums.
TEST(TriedChecksums, OfAServerThatDoesNotTellAreAnError) {
  for (const auto& [status, kind] :
       {std::pair(400, ErrorKind::invalid), {403, ErrorKind::denied}, {503, ErrorKind::unavailable}}) {
    const auto refuse = [status = status](const SeenRequest&) -> std::optional<Reply> { return reply(status); };
    s3::FakeS3 s3;
    s3.before(refuse);
    azure::FakeAzure azure;
    azure.before(refuse);
    swift::FakeSwift swift;
    swift.before(refuse);
    const HttpDouble google([&](const SeenRequest& request) { return *refuse(request); });
    s3::S3Store on_s3 = s3.store();
    azure::AzureStore on_azure = azure.store();
    swift::SwiftStore on_swift = swift.store();
    gcs::GcsStore on_google(gcs::options_at(google), gcs::tokens());
    for (ObjectStore* store : std::initializer_list<ObjectStore*>{&on_s3, &on_azure, &on_swift, &on_google}) {
      const auto found = store->try_checksums(key("a"), {});
      ASSERT_FALSE(found) << store->description();
      EXPECT_EQ(found.error().kind, kind) << found.error().message;
      EXPECT_THAT(found.error().message, HasSubstr("a: "));
    }
  }
}

TEST(TriedChecksums, ARefusalIsNotTriedAgainButNoAnswerIs) {
  s3::FakeS3 fake;
  int retries = 0;
  const RetryPolicy policy{5, std::chrono::milliseconds(1), std::chrono::milliseconds(1),
                           std::chrono::milliseconds(10'000)};
  auto retrying = std::make_unique<Retrying>(std::make_unique<s3::S3Store>(fake.options(), s3::FakeS3::keys()), policy,
                                             [&] { ++retries; });
  Metered store(std::move(retrying), std::make_shared<Meter>());
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  EXPECT_EQ(retries, 0);
  EXPECT_EQ(fake.methods(), "PUT");
  std::atomic<int> asked = 0;
  fake.before([&](const SeenRequest&) -> std::optional<Reply> {
    if (++asked > 2) return std::nullopt;
    return s3::FakeS3::error(503, "SlowDown");
  });
  EXPECT_EQ(checksums_of(store), Checksums::honoured);
  EXPECT_EQ(retries, 2);
}

}  // namespace
}  // namespace hearth::store
