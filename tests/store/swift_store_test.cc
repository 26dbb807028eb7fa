#include "store/swift/swift_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/contract.h"
#include "store/fake_swift.h"
#include "store/swift/errors.h"

namespace hearth::store::swift {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using support::Then;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Answered = std::optional<Reply>;

constexpr const char* kBulk = R"({"bulk_delete": {"max_deletes_per_request": 3}})";

TEST(SwiftStore, APutCarriesWhatTheServerChecksAndIsChecked) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  const auto version = store.put(key("a b/%2F+?"), bytes_of("hello"), Condition::none(), {});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, "5d41402abc4b2a76b9719d911017c592");
  const SeenRequest seen = fake.server().requests().at(1);
  EXPECT_EQ(seen.target, "/v1/AUTH_ann/con%20tainer/pre/a%20b/%252F%2B%3F");
  EXPECT_EQ(seen.header("etag"), "5d41402abc4b2a76b9719d911017c592");
  EXPECT_EQ(seen.header("x-auth-token"), "hidden-token-1");
  for (const char* headers : {"ETag: 5d41402abc4b2a76b9719d911017c593\r\n", ""}) {
    fake.before([&](const SeenRequest&) -> Answered { return reply(201, "", headers); });
    EXPECT_EQ(store.put(key("a"), bytes_of("hello"), Condition::none(), {}).error().kind, ErrorKind::unavailable);
  }
}

TEST(SwiftStore, AConditionalPutWhoseAnswerGotLostIsNotSentAgain) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  ASSERT_TRUE(store.put(key("b"), bytes_of("keeps the connection"), Condition::none(), {}));
  int lost = 0;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (lost++ > 0) return std::nullopt;
    fake.set("pre/a", request.body);
    return Reply{"", Then::close};
  });
  const auto put = store.put(key("a"), bytes_of("mine"), Condition::if_absent(), {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::unavailable) << put.error().message;
  EXPECT_EQ(lost, 1);
}

TEST(SwiftStore, CodesTellWhatTheCallerCanDo) {
  EXPECT_EQ(kind_of(404, "<html>"), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, "NoSuchKey"), ErrorKind::not_found);
  EXPECT_EQ(kind_of(404, "NoSuchBucket\n"), ErrorKind::invalid);
  EXPECT_EQ(kind_of(401, ""), ErrorKind::denied);
  EXPECT_EQ(kind_of(403, "QuotaExceeded"), ErrorKind::denied);
  EXPECT_EQ(kind_of(409, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(413, "Upload exceeds quota."), ErrorKind::denied);
  EXPECT_EQ(kind_of(422, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(429, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(498, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(499, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(503, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(507, ""), ErrorKind::unavailable);
  EXPECT_EQ(kind_of(400, "InvalidObjectName"), ErrorKind::invalid);
}

TEST(SwiftStore, FaultsOfTheServerAreUnavailableAndNeverAnObject) {
  const std::string head = "HTTP/1.1 200 X\r\nETag: a\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\n";
  const Reply faults[] = {{head + "Content-Length: 100\r\n\r\nhalf", Then::close},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::reset},
                          {head + "Content-Length: 100\r\n\r\nhalf", Then::stall},
                          {"", Then::reset},
                          reply(500),
                          reply(503),
                          reply(429),
                          reply(409),
                          reply(200, "no etag")};
  for (const Reply& fault : faults) {
    FakeSwift fake;
    SwiftOptions options = fake.options();
    options.http.limits.no_progress = std::chrono::milliseconds(100);
    SwiftStore store(options);
    fake.before([&](const SeenRequest&) -> Answered { return fault; });
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object) << fault.bytes;
    EXPECT_EQ(object.error().kind, ErrorKind::unavailable) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(SwiftStore, AnErrorNamesOperationKeyCodeAndRequestAndCarriesRetryAfter) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  fake.before(
      [](const SeenRequest&) -> Answered { return reply(503, "SlowDown", "Retry-After: 4\r\nX-Trans-Id: tx7\r\n"); });
  const auto object = store.get(key("apps/a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message, "apps/a: GET: the server answered 503 SlowDown (request tx7)");
  EXPECT_EQ(object.error().retry_after, std::chrono::seconds(4));
}

TEST(SwiftStore, AnAbsentContainerIsNoAbsentObjectAndLookedForOnce) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store.stat(key("a"), {}).error().kind, ErrorKind::not_found);
  EXPECT_THAT(fake.seen(), ElementsAre("GET /auth/v1.0", "GET /con%20tainer/pre/a", "HEAD /con%20tainer",
                                       "HEAD /con%20tainer/pre/a"));
  fake.set_container(false);
  const std::string message = "there is no container con tainer; create it, or let --create-store do so";
  const auto put = store.put(key("a"), bytes_of("x"), Condition::none(), {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::invalid);
  EXPECT_EQ(put.error().message, "a: " + message);
  SwiftStore fresh = fake.store();
  const auto got = fresh.get(key("a"), {}, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::invalid);
  EXPECT_EQ(got.error().message, "a: GET: " + message);
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.target.ends_with("tainer")) return Reply{"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", Then::keep};
    return std::nullopt;
  });
  EXPECT_EQ(fresh.stat(key("a"), {}).error().kind, ErrorKind::unavailable);
}

TEST(SwiftStore, ThoseWhoMayNotSeeTheContainerStillMissObjects) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.target.ends_with("tainer")) return Reply{"HTTP/1.1 403 X\r\nContent-Length: 0\r\n\r\n", Then::keep};
    return std::nullopt;
  });
  EXPECT_EQ(store.get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
}

TEST(SwiftStore, TheTimeIsTheExactOne) {
  FakeSwift fake;
  fake.set("pre/a", "x");
  SwiftStore store = fake.store();
  const auto info = store.stat(key("a"), {});
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->modified, StoreTime(std::chrono::seconds(1717236001)));  // Last-Modified is rounded up
  EXPECT_LE(info->modified, info->now);
}

TEST(SwiftStore, ListsPagesUntilOneIsEmpty) {
  FakeSwift fake;
  for (const char* name : {"pre/a b", "pre/dir/", "pre/x", "pre/z", "other", ".hearth-segments/pre/a/1/0"})
    fake.set(name, "12345");
  SwiftStore store = fake.store();
  EXPECT_THAT(keys_below(store, ""), ElementsAre("a b", "x", "z"));
  EXPECT_THAT(fake.seen(), ElementsAre("GET /auth/v1.0", "GET /con%20tainer?format=json&limit=1000&prefix=pre%2F",
                                       "GET /con%20tainer?format=json&limit=1000&prefix=pre%2F&marker=pre%2Fdir%2F",
                                       "GET /con%20tainer?format=json&limit=1000&prefix=pre%2F&marker=pre%2Fz"));
  SwiftOptions options = fake.options();
  options.prefix = "";
  SwiftStore whole(options);
  EXPECT_THAT(keys_below(whole, ""), ElementsAre("other", "pre/a b", "pre/x", "pre/z"));
}

TEST(SwiftStore, ALargeObjectIsListedAsWhatItIs) {
  FakeSwift fake;
  fake.set("pre/ceph", "12345");
  SwiftStore store = fake.store();
  int pages = 0;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (!request.target.contains("limit=")) return std::nullopt;
    if (pages++ > 0) return reply(200, "[]");
    return reply(200, R"([{"name": "pre/ceph", "bytes": 159, "hash": "d41d8cd98f00b204e9800998ecf8427e",
      "content_type": "application/x-hearth-segments", "last_modified": "2024-06-01T10:00:01.029Z"},
      {"name": "pre/gone", "bytes": 1, "hash": "d41d8cd98f00b204e9800998ecf8427e",
      "content_type": "application/x-hearth-segments", "last_modified": "2024-06-01T10:00:01.029Z"},
      {"name": "pre/swift", "bytes": 10, "hash": "d2906d21df4b3bbb0a4f129f46a72ecb",
      "content_type": "application/x-hearth-segments", "last_modified": "2024-06-01T10:00:01.838670",
      "slo_etag": "\"e0b153045b08d59d4e18a98ab823ac42\""}])");
  });
  std::vector<std::string> seen;
  const auto collect = [&](const ObjectInfo& info) -> Result<void> {
    seen.push_back(fmt::format("{} {} {}", info.key.text(), info.size, info.version.text));
    return {};
  };
  ASSERT_TRUE(store.list({}, collect, {}));
  EXPECT_THAT(seen,
              ElementsAre("ceph 5 827ccb0eea8a706c4c34a16891f84e7b", "swift 10 e0b153045b08d59d4e18a98ab823ac42"));
}

TEST(SwiftStore, ADamagedListingIsNoShorterOne) {
  const std::string entry = R"({"name": "pre/a", "bytes": 5, "hash": "x", "last_modified": "2024-06-01T10:00:01"})";
  for (const std::string& body :
       {std::string(), std::string("[") + entry, std::string("<html/>"), std::string("{}"), std::string("[{}]"),
        std::string(R"([{"subdir": "pre/"}])"), std::string(R"([{"name": "pre/a", "bytes": -5, "hash": "x"}])"),
        "[" + entry + "," + entry + "]", "[" + entry + "]", std::string(1000, '[') + std::string(1000, ']')}) {
    FakeSwift fake;
    SwiftStore store = fake.store();
    fake.before([&](const SeenRequest&) -> Answered { return reply(200, body); });
    const auto nothing = [](const ObjectInfo&) -> Result<void> { return {}; };
    const auto listed = store.list({}, nothing, {});
    ASSERT_FALSE(listed) << body;
    EXPECT_EQ(listed.error().kind, ErrorKind::unavailable) << body;
  }
}

TEST(SwiftStore, ConditionsAreKeptAsFarAsTheServerGoes) {
  FakeSwift fake;
  SwiftStore store = fake.store();
  EXPECT_EQ(store.compare_and_swap(), CompareAndSwap::absent);
  const auto first = store.put(key("a"), bytes_of("1"), Condition::if_absent(), {});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(store.put(key("a"), bytes_of("2"), Condition::if_absent(), {}).error().kind, ErrorKind::conflict);
  ASSERT_TRUE(store.put(key("a"), bytes_of("2"), Condition::if_version(*first), {}));
  EXPECT_EQ(store.put(key("a"), bytes_of("3"), Condition::if_version(*first), {}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(store.put(key("b"), bytes_of("3"), Condition::if_version(*first), {}).error().kind, ErrorKind::conflict);
  EXPECT_EQ(fake.objects()["pre/a"], "2");
  fake.before([](const SeenRequest&) -> Answered { return reply(412, "Invalid UTF8 or contains NULL"); });
  EXPECT_EQ(store.put(key("\xff"), bytes_of("3"), Condition::none(), {}).error().kind, ErrorKind::invalid);
}

TEST(SwiftStore, NamesOfSegmentsAreNoKeys) {
  FakeSwift fake;
  SwiftOptions options = fake.options();
  options.prefix = "";
  SwiftStore store(options);
  EXPECT_EQ(store.put(key(".hearth-segments/a"), bytes_of("1"), Condition::none(), {}).error().kind,
            ErrorKind::invalid);
}

TEST(SwiftStore, DeletesInBulkAndSegmentsToo) {
  FakeSwift fake;
  fake.set_info(kBulk);
  fake.set(".hearth-segments/pre/k1/up/00000000", "x");
  fake.set(".hearth-segments/pre/k1/up/00000001", "x");
  fake.set(".hearth-segments/pre/k1/below/up/00000000", "x");
  fake.set(".hearth-segments/other/k1/up/00000000", "x");
  SwiftStore store = fake.store();
  std::vector<std::string> bodies;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (request.method != "POST") return std::nullopt;
    EXPECT_EQ(request.target, "/v1/AUTH_ann?bulk-delete");
    EXPECT_EQ(request.header("content-type"), "text/plain");
    bodies.push_back(request.body);
    return reply(200, R"({"Response Status": "200 OK", "Response Body": "", "Number Deleted": 2, "Errors": []})");
  });
  const std::vector<Key> keys = {key("k 0"), key("k1"), key("k2"), key("k3")};
  const auto removed = store.remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  const std::string of_k1 = "/con%20tainer/.hearth-segments/pre/k1/up/";
  EXPECT_THAT(bodies, ElementsAre("/con%20tainer/pre/k%200\n/con%20tainer/pre/k1\n/con%20tainer/pre/k2\n",
                                  "/con%20tainer/pre/k3\n", of_k1 + "00000000\n" + of_k1 + "00000001\n"));
}

TEST(SwiftStore, DeletesOneByOneWhereBulkIsNotKnown) {
  FakeSwift fake;
  fake.set("pre/a", "x");
  fake.set("pre/b", "x");
  SwiftStore store = fake.store();
  const std::vector<Key> keys = {key("a"), key("b"), key("c")};
  ASSERT_TRUE(store.remove_each(keys, {}));
  EXPECT_TRUE(fake.objects().empty());
  EXPECT_THAT(fake.seen(), Not(Contains(HasSubstr("POST"))));
  FakeSwift forbidding;
  forbidding.set_info(kBulk);
  forbidding.set("pre/a", "x");
  forbidding.before([](const SeenRequest& request) -> Answered {
    if (request.method == "POST") return reply(403);
    return std::nullopt;
  });
  SwiftStore other = forbidding.store();
  ASSERT_TRUE(other.remove_each(keys, {}));
  EXPECT_TRUE(forbidding.objects().empty());
}

TEST(SwiftStore, AnObjectThatBulkDeletionLeavesIsAnError) {
  const std::pair<const char*, ErrorKind> answers[] = {
      {R"({"Response Status": "400 Bad Request", "Errors": [["/c/a", "403 Forbidden"]]})", ErrorKind::denied},
      {R"({"Response Status": "400 Bad Request", "Errors": [["/c/a", "503 Busy"]]})", ErrorKind::unavailable},
      {R"({"Response Status": "502 Bad Gateway", "Errors": []})", ErrorKind::unavailable},
      {"   ", ErrorKind::unavailable},
      {"{}", ErrorKind::unavailable}};
  for (const auto& [body, kind] : answers) {
    FakeSwift fake;
    fake.set_info(kBulk);
    SwiftStore store = fake.store();
    fake.before([text = body](const SeenRequest& request) -> Answered {
      if (request.method == "POST") return reply(200, text);
      return std::nullopt;
    });
    const std::vector<Key> keys = {key("a"), key("b")};
    const auto removed = store.remove_each(keys, {});
    ASSERT_FALSE(removed) << body;
    EXPECT_EQ(removed.error().kind, kind) << body;
  }
}

TEST(SwiftStore, ARefusedTokenInsideOfABulkDeletionIsReplaced) {
  FakeSwift fake;
  fake.set_info(kBulk);
  SwiftStore store = fake.store();
  int asked = 0;
  fake.before([&](const SeenRequest& request) -> Answered {
    if (request.method != "POST") return std::nullopt;
    if (asked++ > 0) return reply(200, R"({"Response Status": "200 OK", "Errors": []})");
    fake.revoke();
    return reply(200, R"({"Response Status": "401 Unauthorized", "Errors": [["/c/a", "401 Unauthorized"]]})");
  });
  const std::vector<Key> keys = {key("a"), key("b")};
  const auto removed = store.remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(asked, 2);
}

TEST(SwiftStore, AContainerIsMadeOnlyWhereItIsAbsent) {
  FakeSwift fake;
  fake.set_container(false);
  SwiftStore store = fake.store();
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_TRUE(store.create_bucket({}));
  EXPECT_THAT(fake.seen(),
              ElementsAre("GET /auth/v1.0", "HEAD /con%20tainer", "PUT /con%20tainer", "HEAD /con%20tainer"));
  fake.before([](const SeenRequest& request) -> Answered {
    if (request.method == "PUT") return reply(403);
    return Reply{"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", Then::keep};
  });
  EXPECT_EQ(store.create_bucket({}).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace hearth::store::swift
