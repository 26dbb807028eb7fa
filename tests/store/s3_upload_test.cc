#include "store/s3/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "store/contract.h"
#include "store/fake_s3.h"
#include "util/hash.h"
#include "util/mac.h"

namespace hearth::store::s3 {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(S3Upload, PartsGrowWithTheObject) {
  EXPECT_EQ(part_size(16 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size(80'000 * kMiB), 8 * kMiB);
  EXPECT_EQ(part_size(80'001 * kMiB), 9 * kMiB);
  EXPECT_GE(part_size(kLargestObject) * 10'000, kLargestObject);
  EXPECT_LE(part_size(kLargestObject), kLargestPart);
}

// Collects the parts of one upload; a test may take the place of any answer.
class Parted : public testing::Test {
 protected:
  Parted() {
    fake_.before([this](const SeenRequest& request) -> std::optional<Reply> {
      if (instead_) {
        if (auto given = instead_(request)) return given;
      }
      return ordinary(request);
    });
    while (text_.size() < 20 * kMiB + 5) text_ += fmt::format("piece {:<65530}", text_.size());
    text_.resize(20 * kMiB + 5);
  }

  std::optional<Reply> ordinary(const SeenRequest& request) {
    if (request.method == "POST" && request.target.ends_with("?uploads=")) {
      return reply(200, "<InitiateMultipartUploadResult><UploadId>up 1</UploadId></InitiateMultipartUploadResult>");
    }
    const std::lock_guard lock(mutex_);
    if (request.method == "PUT") {
      const std::size_t at = request.target.find("partNumber=") + 11;
      const int number = std::stoi(request.target.substr(at));
      parts_[number] = request.body;
      return reply(200, "", fmt::format("ETag: \"part{}\"\r\n", number));
    }
    if (request.method == "POST") {
      completed_ = request.body;
      return reply(200,
                   "<CompleteMultipartUploadResult><ETag>&quot;all-3&quot;</ETag></CompleteMultipartUploadResult>");
    }
    ++aborted_;
    return Reply{"HTTP/1.1 204 X\r\n\r\n", support::Then::keep};
  }

  // As servers make it.
  std::string etag() {
    const std::lock_guard lock(mutex_);
    util::Md5 all;
    for (const auto& [number, part] : parts_) {
      util::Md5 md5;
      md5.update(bytes_of(part));
      all.update(md5.finish());
    }
    return fmt::format("{}-{}", util::to_hex(all.finish()), parts_.size());
  }

  // The answer to a question for the object.
  static Reply object(const std::string& tag) {
    return {fmt::format("HTTP/1.1 200 X\r\nETag: \"{}\"\r\nContent-Length: 5\r\n\r\n", tag), support::Then::keep};
  }

  static bool completes(const SeenRequest& request) {
    return request.method == "POST" && request.target.contains("uploadId");
  }

  Result<Version> put(std::stop_token stop = {}) {
    return store_.put(key("a"), bytes_of(text_), Condition::none(), std::move(stop));
  }

  std::string text_;
  std::mutex mutex_;
  std::map<int, std::string> parts_;
  std::string completed_;
  int aborted_ = 0;
  std::function<std::optional<Reply>(const SeenRequest&)> instead_;
  FakeS3 fake_;
  S3Store store_ = fake_.store();
};

TEST_F(Parted, AllPartsArriveAndAreNamedInOrder) {
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, "all-3");
  ASSERT_EQ(parts_.size(), 3U);
  EXPECT_EQ(parts_[1] + parts_[2] + parts_[3], text_);
  EXPECT_THAT(completed_,
              HasSubstr("<Part><PartNumber>1</PartNumber><ETag>\"part1\"</ETag></Part><Part><PartNumber>2"));
  EXPECT_EQ(aborted_, 0);
}

TEST_F(Parted, AFileIsReadWithoutMovingItsPosition) {
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_TRUE(util::write_full(file.get(), text_));
  ASSERT_TRUE(store_.put(key("a"), &file, Condition::none(), {}));
  EXPECT_EQ(parts_[1] + parts_[2] + parts_[3], text_);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), static_cast<off_t>(text_.size()));
}

TEST_F(Parted, APartThatFailsOnceIsSentAgainAlone) {
  std::atomic<int> failures = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.contains("partNumber=2") && failures++ == 0) return FakeS3::error(503, "SlowDown");
    return std::nullopt;
  };
  ASSERT_TRUE(put());
  EXPECT_EQ(fake_.server().requests().size(), 6U);  // begin, 3 + 1 parts, complete
}

TEST_F(Parted, WhatFailsIsAborted) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.contains("partNumber=2")) return FakeS3::error(403, "AccessDenied");
    return std::nullopt;
  };
  EXPECT_EQ(put().error().kind, ErrorKind::denied);
  EXPECT_EQ(aborted_, 1);
  EXPECT_EQ(completed_, "");
}

TEST_F(Parted, WhatIsStoppedIsAborted) {
  std::stop_source source;
  // A copy: a request may still be answered when the test is over.
  instead_ = [source](const SeenRequest& request) mutable -> std::optional<Reply> {
    if (request.method != "PUT") return std::nullopt;
    source.request_stop();
    return Reply{"", support::Then::stall};
  };
  EXPECT_EQ(put(source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(aborted_, 1);
}

TEST_F(Parted, ACompletionWithAnErrorInItIsNone) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (!completes(request)) return std::nullopt;
    return reply(200, "<Error><Code>AccessDenied</Code></Error>");
  };
  std::stop_source source;
  const std::jthread stopper([&] {
    while (fake_.server().requests().size() < 6) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    source.request_stop();
  });
  const auto version = put(source.get_token());
  ASSERT_FALSE(version);
  EXPECT_EQ(aborted_, 1);
}

// MinIO knows nothing of an upload that is complete.
TEST_F(Parted, ACompletionWhoseAnswerGotLostIsRecognised) {
  const Reply losses[] = {{"", support::Then::close},
                          {"", support::Then::reset},
                          FakeS3::error(500, "InternalError"),
                          FakeS3::error(200, "InternalError")};
  for (const Reply& lost : losses) {
    int completions = 0;
    int begun = 0;
    instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
      if (request.method == "HEAD") return object(etag());
      if (request.target.ends_with("?uploads=")) ++begun;
      if (!completes(request)) return std::nullopt;
      return completions++ == 0 ? lost : FakeS3::error(404, "NoSuchUpload");
    };
    const auto version = put();
    ASSERT_TRUE(version) << version.error().message;
    EXPECT_EQ(version->text, etag());
    EXPECT_EQ(completions, 2);
    EXPECT_EQ(begun, 1);
    EXPECT_EQ(aborted_, 0);
  }
}

TEST_F(Parted, WhetherItIsThereIsAskedAgainWhenTheServerCannotSay) {
  int completions = 0;
  int begun = 0;
  int heads = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.method == "HEAD") return heads++ == 0 ? support::reply(503) : object(etag());
    if (request.target.ends_with("?uploads=")) ++begun;
    if (!completes(request)) return std::nullopt;
    return completions++ == 0 ? Reply{"", support::Then::close} : FakeS3::error(404, "NoSuchUpload");
  };
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, etag());
  EXPECT_EQ(heads, 2);
  EXPECT_EQ(begun, 1);
}

// The server had begun its answer before it knew.
TEST_F(Parted, AnErrorBehindAStatusOfSuccessIsOne) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (completes(request)) return FakeS3::error(200, "InvalidPart");
    return std::nullopt;
  };
  const auto version = put();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(version.error().retry, Retry::whole);
  EXPECT_THAT(version.error().message, testing::HasSubstr("200 InvalidPart"));
}

TEST_F(Parted, AnotherObjectIsNotTakenForIt) {
  int completions = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.method == "HEAD") return object("00000000000000000000000000000000-3");
    if (!completes(request)) return std::nullopt;
    return completions++ == 0 ? Reply{"", support::Then::close} : FakeS3::error(404, "NoSuchUpload");
  };
  const auto version = put();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(version.error().retry, Retry::whole);
}

TEST_F(Parted, AnUploadThatIsGoneIsWorthAnotherFromItsBeginning) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (completes(request)) return FakeS3::error(404, "NoSuchUpload");
    return std::nullopt;
  };
  const auto version = put();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(version.error().retry, Retry::whole);
  EXPECT_EQ(fake_.methods(), "POST PUT PUT PUT POST DELETE");
}

}  // namespace
}  // namespace hearth::store::s3
