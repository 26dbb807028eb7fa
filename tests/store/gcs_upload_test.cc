#include "store/gcs/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/fake_gcs.h"

namespace hearth::store::gcs {
namespace {

using support::HttpDouble;
using support::Reply;
using support::reply;
using support::SeenRequest;
using support::Then;
using testing::HasSubstr;
using testing::StartsWith;

TEST(GcsUpload, AnObjectGoesWithItsHashInOneRequest) {
  HttpDouble server([](const SeenRequest&) { return reply(200, resource("pre/a", "hello")); });
  GcsOptions options = options_at(server);
  options.storage_class = "NEARLINE";
  GcsStore store(options, tokens());
  const auto version = store.put(key("a"), bytes_of("hello"), Condition::none(), {});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, "7");
  const SeenRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_THAT(seen.target, StartsWith("/upload/storage/v1/b/bucket/o?uploadType=multipart&name=pre%2Fa&fields="));
  EXPECT_EQ(seen.header("x-goog-hash"), "crc32c=" + crc32c_of("hello"));
  const std::string type = seen.header("content-type");
  ASSERT_THAT(type, StartsWith("multipart/related; boundary=hearth-"));
  const std::string boundary = type.substr(type.find('=') + 1);
  EXPECT_EQ(seen.body,
            fmt::format("--{0}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
                        R"({{"contentType":"application/octet-stream","crc32c":"{1}","storageClass":"NEARLINE"}})"
                        "\r\n--{0}\r\nContent-Type: application/octet-stream\r\n\r\nhello\r\n--{0}--\r\n",
                        boundary, crc32c_of("hello")));
}

TEST(GcsUpload, ConditionsAreGenerations) {
  HttpDouble server([](const SeenRequest& request) {
    if (request.target.contains("ifGenerationMatch=0")) return reply(200, resource("pre/a", "x", 8));
    return error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");
  });
  GcsStore store(options_at(server), tokens());
  EXPECT_EQ(store.put(key("a"), bytes_of("x"), Condition::if_absent(), {})->text, "8");
  const auto conflict = store.put(key("a"), bytes_of("x"), Condition::if_version({"7"}), {});
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().kind, ErrorKind::conflict);
  EXPECT_THAT(server.requests().at(1).target, HasSubstr("&ifGenerationMatch=7"));
  EXPECT_EQ(store.compare_and_swap(), CompareAndSwap::honoured);
}

TEST(GcsUpload, AConditionalPutWhoseAnswerGotLostIsNotSentAgain) {
  std::atomic<int> asked = 0;
  HttpDouble server([&](const SeenRequest&) {
    if (++asked == 1) return reply(200, resource("pre/a", "x"));
    return asked == 2 ? Reply{"", Then::close} : error(412, "conditionNotMet", "");
  });
  GcsStore store(options_at(server), tokens());
  ASSERT_TRUE(store.put(key("a"), bytes_of("x"), Condition::none(), {}));
  const auto put = store.put(key("a"), bytes_of("x"), Condition::if_version({"7"}), {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::unavailable) << put.error().message;
  EXPECT_EQ(asked, 2);
}

TEST(GcsUpload, OtherBytesThanWereSentAreRemovedAgain) {
  HttpDouble server([](const SeenRequest& request) {
    return request.method == "POST" ? reply(200, resource("pre/a", "hellO", 9)) : Reply{"HTTP/1.1 204 X\r\n\r\n"};
  });
  GcsStore store(options_at(server), tokens());
  const auto put = store.put(key("a"), bytes_of("hello"), Condition::none(), {});
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::unavailable);
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.requests().at(1).method, "DELETE");
  EXPECT_EQ(server.requests().at(1).target, "/storage/v1/b/bucket/o/pre%2Fa?ifGenerationMatch=9");
}

// A server that takes one resumable upload, and what a test does to it.
class Resumable : public testing::Test {
 protected:
  Resumable() {
    while (text_.size() < kResumableFrom + 5) text_ += fmt::format("piece {:<65530}", text_.size());
    text_.resize(kResumableFrom + 5);
  }

  Reply answer(const SeenRequest& request) {
    if (request.method == "POST") return reply(200, "", "Location: http://elsewhere.invalid:1/up?upload_id=u%201\r\n");
    if (request.method == "DELETE") return reply(499);
    if (!faults_.empty()) {
      const auto fault = faults_.front();
      faults_.erase(faults_.begin());
      if (auto instead = fault(request)) return *std::move(instead);
    }
    const std::string range = request.header("content-range");
    if (!range.starts_with("bytes */")) received_.replace(std::stoul(range.substr(6)), std::string::npos, request.body);
    if (received_.size() < text_.size()) return incomplete();
    return reply(200, resource("pre/a", received_));
  }

  Reply incomplete() const {
    return reply(308, "", received_.empty() ? "" : fmt::format("Range: bytes=0-{}\r\n", received_.size() - 1));
  }

  // Keeps the first bytes of what comes, and fails.
  std::function<std::optional<Reply>(const SeenRequest&)> keep(std::size_t count, Reply then) {
    return [this, count, then](const SeenRequest& request) {
      received_ += request.body.substr(0, count);
      return then;
    };
  }
  static std::function<std::optional<Reply>(const SeenRequest&)> instead(Reply reply) {
    return [reply](const SeenRequest&) { return reply; };
  }

  Result<Version> put(std::stop_token stop = {}) {
    return store_.put(key("a"), bytes_of(text_), Condition::if_version({"3"}), std::move(stop));
  }
  // "POST PUT PUT": methods in order.
  std::string methods() const {
    std::string text;
    for (const auto& request : server_.requests()) text += (text.empty() ? "" : " ") + request.method;
    return text;
  }

  std::string text_;
  std::string received_;
  std::vector<std::function<std::optional<Reply>(const SeenRequest&)>> faults_;
  HttpDouble server_{[this](const SeenRequest& request) { return answer(request); }};
  GcsStore store_{options_at(server_), tokens()};
};

TEST_F(Resumable, BeginsWithWhatItIsAndSendsTheWhole) {
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, "7");
  EXPECT_TRUE(received_ == text_);
  EXPECT_EQ(methods(), "POST PUT");
  const SeenRequest begin = server_.requests().at(0);
  EXPECT_THAT(begin.target, HasSubstr("uploadType=resumable&name=pre%2Fa&"));
  EXPECT_THAT(begin.target, HasSubstr("&ifGenerationMatch=3"));
  EXPECT_EQ(begin.header("x-upload-content-length"), std::to_string(text_.size()));
  EXPECT_THAT(begin.body, HasSubstr(crc32c_of(text_)));
  const SeenRequest sent = server_.requests().at(1);
  EXPECT_EQ(sent.target, "/up?upload_id=u%201");
  EXPECT_EQ(sent.header("content-range"), fmt::format("bytes 0-{}/{}", text_.size() - 1, text_.size()));
  EXPECT_EQ(sent.header("authorization"), "");
  EXPECT_EQ(sent.header("x-goog-hash"), "crc32c=" + crc32c_of(text_));
}

TEST_F(Resumable, AfterAFaultItAsksAndGoesOnFromThere) {
  faults_ = {keep(262'144, Reply{"", Then::reset})};
  ASSERT_TRUE(put());
  EXPECT_TRUE(received_ == text_);
  EXPECT_EQ(methods(), "POST PUT PUT PUT");
  EXPECT_EQ(server_.requests().at(2).header("content-range"), fmt::format("bytes */{}", text_.size()));
  EXPECT_EQ(server_.requests().at(3).header("content-range"),
            fmt::format("bytes 262144-{}/{}", text_.size() - 1, text_.size()));
}

TEST_F(Resumable, AServerThatTakesItPieceByPieceIsFollowed) {
  const auto piece = [this](const SeenRequest& request) -> std::optional<Reply> {
    received_ += request.body.substr(0, 1 << 20);
    return incomplete();
  };
  faults_.assign(10, piece);
  ASSERT_TRUE(put());
  EXPECT_TRUE(received_ == text_);
  EXPECT_EQ(server_.requests().size(), 12U);
}

TEST_F(Resumable, AnAnswerThatGotLostIsNotSentAgain) {
  faults_ = {[this](const SeenRequest& request) -> std::optional<Reply> {
    received_ = request.body;
    return Reply{"", Then::reset};
  }};
  ASSERT_TRUE(put());
  EXPECT_EQ(methods(), "POST PUT PUT");
}

TEST_F(Resumable, AServerThatTakesNothingIsUnavailableInTheEndAndTheUploadIsCancelled) {
  faults_.assign(100, [this](const SeenRequest&) -> std::optional<Reply> { return incomplete(); });
  const auto version = put();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(version.error().retry, Retry::none);
  EXPECT_THAT(methods(), testing::EndsWith("PUT DELETE"));
  EXPECT_LE(server_.requests().size(), 12U);
}

TEST_F(Resumable, AForgottenUploadIsUnavailableAtOnce) {
  for (const int status : {404, 410}) {
    faults_ = {instead(reply(status))};
    const auto version = put();
    ASSERT_FALSE(version);
    EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(version.error().retry, Retry::whole);
  }
  EXPECT_EQ(methods(), "POST PUT POST PUT");
}

TEST_F(Resumable, AConflictAtTheEndIsOne) {
  faults_ = {instead(error(412, "conditionNotMet", ""))};
  EXPECT_EQ(put().error().kind, ErrorKind::conflict);
  EXPECT_EQ(methods(), "POST PUT DELETE");
}

TEST_F(Resumable, WhatIsStoppedIsCancelled) {
  std::stop_source source;
  faults_ = {[&](const SeenRequest&) -> std::optional<Reply> {
    source.request_stop();
    return Reply{"", Then::stall};
  }};
  EXPECT_EQ(put(source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(methods(), "POST PUT DELETE");
}

TEST_F(Resumable, GooglesUploadsGoOnAtHostsOfGoogleOnly) {
  GcsOptions options = options_at(server_);
  options.is_google = true;
  const Requests requests(options, tokens());
  const auto url_in = [&](const std::string& location) {
    return requests.session_url({.status = 200, .headers = {{"Location", location}}, .body = {}});
  };
  EXPECT_EQ(*url_in("https://storage.googleapis.com/upload?upload_id=1"),
            "https://storage.googleapis.com/upload?upload_id=1");
  EXPECT_TRUE(url_in("https://europe.storage.googleapis.com/x"));
  for (const char* bad : {"http://storage.googleapis.com/x", "https://googleapis.com.example/x", "/relative", "",
                          "https://storage.googleapis.com@example.com/x", "https://example.com/.googleapis.com"}) {
    EXPECT_EQ(url_in(bad).error().kind, ErrorKind::unavailable) << bad;
  }
}

}  // namespace
}  // namespace hearth::store::gcs
