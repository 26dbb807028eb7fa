#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/fake_s3.h"
#include "store/retrying.h"

namespace hearth::store::s3 {
namespace {

using support::SeenRequest;

Result<Version> put(ObjectStore& store, std::string_view text, const Condition& condition) {
  return store.put(key("a"), bytes_of(text), condition, {});
}

bool is_put(const SeenRequest& request) {
  return request.method == "PUT";
}

TEST(S3Conditions, BothDialectsAreLearnedAndKept) {
  for (const Conditions dialect : {Conditions::quoted, Conditions::unquoted}) {
    FakeS3 fake(dialect);
    S3Store store = fake.store();
    Version version = put(store, "0", Condition::if_absent()).value();
    for (const char* text : {"1", "2", "3"}) {
      const auto next = put(store, text, Condition::if_version(version));
      ASSERT_TRUE(next) << next.error().message;
      version = *next;
      EXPECT_EQ(fake.content("pre/a"), text);
    }
    EXPECT_EQ(store.compare_and_swap(), CompareAndSwap::honoured);
    // One question whether conditions are honoured; where ETags are not quoted, one refusal and one look.
    EXPECT_EQ(fake.methods(), dialect == Conditions::quoted ? "PUT PUT PUT PUT PUT" : "PUT PUT PUT HEAD PUT PUT PUT");
  }
}

TEST(S3Conditions, FalseOnesAreConflictsAndChangeNothing) {
  for (const Conditions dialect : {Conditions::quoted, Conditions::unquoted}) {
    FakeS3 fake(dialect);
    S3Store store = fake.store();
    EXPECT_EQ(put(store, "x", Condition::if_version({"1"})).error().kind, ErrorKind::conflict);
    const Version old = put(store, "old", Condition::if_absent()).value();
    EXPECT_EQ(put(store, "x", Condition::if_absent()).error().kind, ErrorKind::conflict);
    ASSERT_TRUE(put(store, "new", Condition::if_version(old)));
    EXPECT_EQ(put(store, "x", Condition::if_version(old)).error().kind, ErrorKind::conflict);
    EXPECT_EQ(fake.content("pre/a"), "new");
  }
}

TEST(S3Conditions, AServerThatTakesAFalseOneHasNoCompareAndSwap) {
  for (const Conditions conditions : {Conditions::ignored, Conditions::not_implemented}) {
    FakeS3 fake(conditions);
    S3Store store = fake.store();
    EXPECT_EQ(store.compare_and_swap(), CompareAndSwap::honoured);
    ASSERT_TRUE(put(store, "1", Condition::if_absent()));
    EXPECT_EQ(store.compare_and_swap(), CompareAndSwap::absent);
    ASSERT_TRUE(put(store, "2", Condition::if_version({"never"})));
    EXPECT_EQ(fake.content("pre/a"), "2");
  }
}

TEST(S3Conditions, AmazonIsNotAsked) {
  FakeS3 fake;
  S3Options options = fake.options();
  options.is_amazon = true;
  S3Store store(options, FakeS3::keys());
  ASSERT_TRUE(put(store, "1", Condition::if_absent()));
  EXPECT_EQ(fake.methods(), "PUT");
}

// Ceph answers so to some who lose a race.
TEST(S3Conditions, AnInternalErrorIsLookedInto) {
  const auto fails_once_learned = [](FakeS3& fake, const std::string& instead) {
    return [&fake, instead](const SeenRequest& request) -> std::optional<support::Reply> {
      if (!is_put(request) || request.header("if-none-match").empty()) return std::nullopt;
      if (!instead.empty()) fake.set("pre/a", instead == "own" ? request.body : instead);
      return FakeS3::error(500, "UnknownError");
    };
  };
  {
    FakeS3 fake;
    S3Store store = fake.store();
    fake.before(fails_once_learned(fake, "theirs"));
    EXPECT_EQ(put(store, "mine", Condition::if_absent()).error().kind, ErrorKind::conflict);
  }
  {
    FakeS3 fake;
    S3Store store = fake.store();
    fake.before(fails_once_learned(fake, "own"));
    EXPECT_TRUE(put(store, "mine", Condition::if_absent()));
  }
  {
    FakeS3 fake;
    S3Store store = fake.store();
    fake.before(fails_once_learned(fake, ""));
    EXPECT_EQ(put(store, "mine", Condition::if_absent()).error().kind, ErrorKind::unavailable);
  }
}

TEST(S3Conditions, AnUndecidedRaceIsTriedAgain) {
  FakeS3 fake;
  S3Store store = fake.store();
  fake.before([](const SeenRequest& request) -> std::optional<support::Reply> {
    if (is_put(request)) return FakeS3::error(409, "ConditionalRequestConflict");
    return std::nullopt;
  });
  EXPECT_EQ(put(store, "mine", Condition::if_absent()).error().kind, ErrorKind::unavailable);
}

// libcurl would send it again by itself, and the second one would be refused for what the first one has stored.
TEST(S3Conditions, OneWhoseAnswerGotLostIsSentOnceAndFoundAgain) {
  FakeS3 fake;
  int lost = 0;
  fake.before([&](const SeenRequest& request) -> std::optional<support::Reply> {
    if (!is_put(request) || request.header("if-none-match").empty() || lost++ > 0) return std::nullopt;
    fake.set("pre/a", request.body);
    return support::Reply{"", support::Then::close};
  });
  S3Store store = fake.store();
  const auto alone = put(store, "mine", Condition::if_absent());
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().kind, ErrorKind::unavailable) << alone.error().message;
  EXPECT_EQ(lost, 1);
  ASSERT_TRUE(store.remove(key("a"), {}));
  lost = 0;
  Retrying patient(std::make_unique<S3Store>(fake.options(), FakeS3::keys()), {}, nullptr);
  const auto version = put(patient, "mine", Condition::if_absent());
  EXPECT_TRUE(version) << version.error().message;
  EXPECT_EQ(lost, 2);
}

TEST(S3Conditions, AnAbsentBucketIsNamed) {
  FakeS3 fake;
  fake.before([](const SeenRequest&) -> std::optional<support::Reply> { return FakeS3::error(404, "NoSuchBucket"); });
  S3Store store = fake.store();
  const auto absent = put(store, "x", Condition::if_absent());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().message,
            "a: a conditional put: there is no bucket bucket; create it, or let --create-store do so");
}

TEST(S3Conditions, LargeConditionalPutsTravelInOnePiece) {
  FakeS3 fake;
  S3Store store = fake.store();
  const std::string text(20'000'000, 'x');
  ASSERT_TRUE(put(store, text, Condition::if_absent()));
  EXPECT_EQ(fake.content("pre/a").size(), text.size());
}

}  // namespace
}  // namespace hearth::store::s3
