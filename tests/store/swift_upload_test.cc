#include "store/swift/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "store/contract.h"
#include "store/fake_swift.h"

namespace hearth::store::swift {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(SwiftUpload, SegmentsFitTheServer) {
  const Capabilities usual;
  EXPECT_EQ(segment_size(5120 * kMiB, 0, usual).value(), 0U);
  EXPECT_EQ(segment_size(5120 * kMiB + 1, 0, usual).value(), 1024 * kMiB);
  EXPECT_EQ(segment_size(2'000'000 * kMiB, 0, usual).value(), 2000 * kMiB);
  EXPECT_EQ(segment_size(5'120'001 * kMiB, 0, usual).error().kind, ErrorKind::invalid);
  EXPECT_EQ(segment_size(10 * kMiB, 10 * kMiB, usual).value(), 0U);
  EXPECT_EQ(segment_size(10 * kMiB + 1, 10 * kMiB, usual).value(), 10 * kMiB);
  Capabilities small = usual;
  small.largest_object = 100 * kMiB;
  small.most_segments = 10;
  EXPECT_EQ(segment_size(100 * kMiB, 0, small).value(), 0U);
  EXPECT_EQ(segment_size(101 * kMiB, 0, small).value(), 100 * kMiB);
  EXPECT_EQ(segment_size(200 * kMiB, 10 * kMiB, small).value(), 20 * kMiB);
  EXPECT_EQ(segment_size(1001 * kMiB, 0, small).error().kind, ErrorKind::invalid);
  small.has_segments = false;
  EXPECT_EQ(segment_size(20 * kMiB, 10 * kMiB, small).value(), 0U);
  EXPECT_EQ(segment_size(101 * kMiB, 0, small).error().kind, ErrorKind::invalid);
}

// The segments of one upload; a test may take the place of any answer.
class SwiftSegments : public testing::Test {
 protected:
  SwiftSegments() {
    fake_.set_info(R"({"swift": {"max_file_size": 5368709122}, "slo": {"max_manifest_segments": 1000},
                       "bulk_delete": {"max_deletes_per_request": 10000}})");
    fake_.before([this](const SeenRequest& request) -> std::optional<Reply> {
      if (instead_) {
        if (auto given = instead_(request)) return given;
      }
      if (request.target.ends_with("?bulk-delete")) {
        deleted_ = request.body;
        return reply(200, R"(  {"Response Status": "200 OK", "Number Deleted": 3, "Errors": []})");
      }
      if (request.target.ends_with("?multipart-manifest=put")) manifest_ = request;
      return std::nullopt;
    });
    while (text_.size() < 2 * kMiB + 5) text_ += fmt::format("piece {:<65530}", text_.size());
    text_.resize(2 * kMiB + 5);
  }

  SwiftOptions options() const {
    SwiftOptions options = fake_.options();
    options.segment_size = kMiB;
    return options;
  }

  Result<Version> put(const Condition& condition = Condition::none(), std::stop_token stop = {}) {
    return store_.put(key("a"), bytes_of(text_), condition, std::move(stop));
  }

  // In the order of their names.
  std::vector<std::string> segments() {
    std::vector<std::string> texts;
    for (const auto& [name, text] : fake_.objects()) {
      EXPECT_THAT(name, StartsWith(".hearth-segments/pre/a/"));
      texts.push_back(text);
    }
    return texts;
  }

  std::string text_;
  SeenRequest manifest_;
  std::string deleted_;
  std::function<std::optional<Reply>(const SeenRequest&)> instead_;
  FakeSwift fake_;
  SwiftStore store_{options()};
};

TEST_F(SwiftSegments, AllArriveAndAreNamedInOrder) {
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  const auto sent = segments();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0] + sent[1] + sent[2], text_);
  EXPECT_EQ(version->text, md5_of(md5_of(sent[0]) + md5_of(sent[1]) + md5_of(sent[2])));
  std::string expected;
  for (const auto& [name, text] : fake_.objects()) {
    expected += fmt::format(R"({}{{"etag":"{}","path":"/con tainer/{}","size_bytes":{}}})", expected.empty() ? "" : ",",
                            md5_of(text), name, text.size());
  }
  EXPECT_EQ(manifest_.body, "[" + expected + "]");
  EXPECT_EQ(manifest_.target, "/v1/AUTH_ann/con%20tainer/pre/a?multipart-manifest=put");
  EXPECT_EQ(manifest_.header("content-type"), "application/x-hearth-segments");
  EXPECT_EQ(deleted_, "");
}

TEST_F(SwiftSegments, AFileIsReadWithoutMovingItsPosition) {
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_TRUE(util::write_full(file.get(), text_));
  ASSERT_TRUE(store_.put(key("a"), &file, Condition::none(), {}));
  const auto sent = segments();
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0] + sent[1] + sent[2], text_);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), static_cast<off_t>(text_.size()));
}

TEST_F(SwiftSegments, OneThatFailsOnceIsSentAgainAlone) {
  std::atomic<int> failures = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("/00000001") && failures++ == 0) return reply(503);
    return std::nullopt;
  };
  ASSERT_TRUE(put());
  EXPECT_EQ(fake_.seen().size(), 7U);  // login, info, 3 + 1 segments, manifest
}

TEST_F(SwiftSegments, WhatFailsIsRemoved) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("/00000001")) return reply(403);
    return std::nullopt;
  };
  EXPECT_EQ(put().error().kind, ErrorKind::denied);
  EXPECT_EQ(manifest_.method, "");
  EXPECT_THAT(deleted_, HasSubstr("/con%20tainer/.hearth-segments/pre/a/"));
  EXPECT_EQ(std::ranges::count(deleted_, '\n'), 3);
}

TEST_F(SwiftSegments, WhatIsStoppedIsRemoved) {
  std::stop_source source;
  instead_ = [stopping = source](const SeenRequest& request) mutable -> std::optional<Reply> {
    if (request.method != "PUT") return std::nullopt;
    stopping.request_stop();
    return Reply{"", support::Then::stall};
  };
  EXPECT_EQ(put(Condition::none(), source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(std::ranges::count(deleted_, '\n'), 3);
}

TEST_F(SwiftSegments, ASegmentThatIsNotSeenYetIsWaitedFor) {
  int asked = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("?multipart-manifest=put") && asked++ == 0) {
      return reply(400, "Errors:\n/con tainer/x, 404 Not Found\n");
    }
    return std::nullopt;
  };
  ASSERT_TRUE(put());
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(deleted_, "");
}

TEST_F(SwiftSegments, AConditionIsThatOfTheManifest) {
  fake_.set("pre/a", "there");
  const auto conflict = put(Condition::if_absent());
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().kind, ErrorKind::conflict);
  EXPECT_EQ(manifest_.header("if-none-match"), "*");
  EXPECT_EQ(std::ranges::count(deleted_, '\n'), 3);
}

TEST_F(SwiftSegments, AManifestWhoseAnswerGotLostIsRecognised) {
  int asked = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("?multipart-manifest=put")) {
      return asked++ == 0 ? Reply{"", support::Then::reset} : reply(412);
    }
    if (request.method != "HEAD") return std::nullopt;
    std::string etags;
    for (const std::string& segment : segments()) etags += md5_of(segment);
    return Reply{fmt::format("HTTP/1.1 200 X\r\nETag: \"{}\"\r\nContent-Length: 5\r\n\r\n", md5_of(etags)),
                 support::Then::keep};
  };
  const auto version = put(Condition::if_absent());
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(deleted_, "");
}

TEST_F(SwiftSegments, TheyStayWhereTheManifestMayBeStored) {
  std::stop_source source;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (!request.target.ends_with("?multipart-manifest=put")) return std::nullopt;
    source.request_stop();
    return Reply{"", support::Then::stall};
  };
  const auto version = put(Condition::none(), source.get_token());
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(deleted_, "");
  EXPECT_EQ(segments().size(), 3U);
}

// Nothing has travelled then.
TEST_F(SwiftSegments, WhatWasRefusedForItsCredentialsIsRemoved) {
  int logins = 0;
  fake_.login([&](const SeenRequest&) {
    if (++logins == 2) return reply(401);
    return reply(
        200, "",
        fmt::format("X-Auth-Token: {}\r\nX-Storage-Url: {}/v1/AUTH_ann\r\n", fake_.token(), fake_.server().origin()));
  });
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("?multipart-manifest=put")) return reply(401);
    return std::nullopt;
  };
  EXPECT_EQ(put().error().kind, ErrorKind::denied);
  EXPECT_EQ(logins, 3);
  EXPECT_EQ(std::ranges::count(deleted_, '\n'), 3);
}

TEST_F(SwiftSegments, AServerThatStoredSomethingElseIsFoundOut) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.ends_with("/00000001")) return reply(201, "", "ETag: 00000000000000000000000000000000\r\n");
    return std::nullopt;
  };
  std::stop_source source;
  const std::jthread stopper([&] {
    while (fake_.seen().size() < 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    source.request_stop();
  });
  EXPECT_FALSE(put(Condition::none(), source.get_token()));
  EXPECT_EQ(manifest_.method, "");
}

}  // namespace
}  // namespace hearth::store::swift
