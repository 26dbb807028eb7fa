#include "store/azure/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "store/azure/documents.h"
#include "store/contract.h"
#include "store/fake_azure.h"

namespace hearth::store::azure {
namespace {

using support::Reply;
using support::reply;
using support::SeenRequest;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

TEST(AzureUpload, BlocksGrowWithTheBlob) {
  EXPECT_EQ(block_size(16 * kMiB), 8 * kMiB);
  EXPECT_EQ(block_size(400'000 * kMiB), 8 * kMiB);
  EXPECT_EQ(block_size(400'000 * kMiB + 1), 9 * kMiB);
  EXPECT_EQ(block_size(kLargestBlock * kMostBlocks), kLargestBlock);
  EXPECT_GT(block_size(UINT64_MAX), kLargestBlock);
}

// Collects the blocks of one upload; a test may take the place of any answer.
class Blocks : public testing::Test {
 protected:
  Blocks() {
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
    const std::lock_guard lock(mutex_);
    if (request.target.contains("?comp=blocklist")) {
      list_ = request;
      return reply(201, "", "ETag: \"0x9\"\r\n");
    }
    const std::size_t at = request.target.find("?comp=block&blockid=");
    EXPECT_NE(at, std::string::npos) << request.target;
    const std::string id = util::percent_decode(request.target.substr(request.target.find("blockid=") + 8)).value();
    blocks_[id] = request.body;
    EXPECT_FALSE(request.header("content-md5").empty());
    return reply(201);
  }

  Result<Version> put(const Condition& condition = Condition::none(), std::stop_token stop = {}) {
    return store_.put(key("a"), bytes_of(text_), condition, stop);
  }

  // The blocks in the order of the list.
  std::string together() {
    std::string all;
    std::string_view rest = list_.body;
    for (std::size_t at = rest.find("<Latest>"); at != std::string_view::npos; at = rest.find("<Latest>")) {
      rest.remove_prefix(at + 8);
      all += blocks_[std::string(rest.substr(0, rest.find('<')))];
    }
    return all;
  }

  std::string text_;
  std::mutex mutex_;
  std::map<std::string, std::string> blocks_;
  SeenRequest list_;
  std::function<std::optional<Reply>(const SeenRequest&)> instead_;
  FakeAzure fake_;
  AzureStore store_ = fake_.store();
};

TEST_F(Blocks, AllArriveAndAreNamedInOrder) {
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(version->text, "0x9");
  EXPECT_EQ(blocks_.size(), 3U);
  EXPECT_TRUE(together() == text_);
  EXPECT_EQ(list_.header("x-ms-blob-content-type"), "application/octet-stream");
  EXPECT_EQ(list_.header("if-match") + list_.header("if-none-match"), "");
  for (const auto& [id, block] : blocks_) EXPECT_EQ(id.size(), blocks_.begin()->first.size());
}

TEST_F(Blocks, AFileIsReadWithoutMovingItsPosition) {
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_TRUE(util::write_full(file.get(), text_));
  ASSERT_TRUE(store_.put(key("a"), &file, Condition::none(), {}));
  EXPECT_TRUE(together() == text_);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), static_cast<off_t>(text_.size()));
}

TEST_F(Blocks, TwoUploadsShareNoBlock) {
  ASSERT_TRUE(put());
  ASSERT_TRUE(put());
  EXPECT_EQ(blocks_.size(), 6U);
}

TEST_F(Blocks, TheConditionIsThatOfTheList) {
  ASSERT_TRUE(put(Condition::if_version({"0x5"})));
  EXPECT_EQ(list_.header("if-match"), "\"0x5\"");
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (!request.target.contains("blocklist")) {
      EXPECT_EQ(request.header("if-none-match"), "");
      return std::nullopt;
    }
    EXPECT_EQ(request.header("if-none-match"), "*");
    return FakeAzure::error(409, "BlobAlreadyExists");
  };
  EXPECT_EQ(put(Condition::if_absent()).error().kind, ErrorKind::conflict);
}

TEST_F(Blocks, OneThatFailsOnceIsSentAgainAlone) {
  std::atomic<int> failures = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.contains("comp=block&") && failures++ == 0) return FakeAzure::error(503, "ServerBusy");
    return std::nullopt;
  };
  ASSERT_TRUE(put());
  EXPECT_EQ(fake_.server().requests().size(), 5U);  // 3 + 1 blocks and the list
  EXPECT_TRUE(together() == text_);
}

TEST_F(Blocks, OfWhatFailsNoBlobIsMade) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.body.size() < 8 * kMiB) return FakeAzure::error(403, "AuthorizationFailure");
    return std::nullopt;
  };
  const auto version = put();
  EXPECT_EQ(version.error().kind, ErrorKind::denied);
  EXPECT_THAT(version.error().message, HasSubstr("a: storing block 3: the server answered 403"));
  EXPECT_EQ(list_.body, "");
}

TEST_F(Blocks, WhatIsStoppedEnds) {
  const std::stop_source source;
  instead_ = [source](const SeenRequest&) -> std::optional<Reply> {
    source.request_stop();
    return Reply{"", support::Then::stall};
  };
  EXPECT_EQ(put(Condition::none(), source.get_token()).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(list_.body, "");
}

// Another writer's put to the same name sweeps blocks away that are not part of a blob yet.
TEST_F(Blocks, BlocksThatAreGoneMakeThePutWorthAnother) {
  instead_ = [](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.contains("blocklist")) return FakeAzure::error(400, "InvalidBlockList");
    return std::nullopt;
  };
  const auto version = put();
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(version.error().retry, Retry::whole);
  EXPECT_EQ(fake_.server().requests().size(), 4U);
}

TEST_F(Blocks, AListWhoseAnswerGotLostIsSentAgainAlone) {
  std::atomic<int> lists = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (!request.target.contains("blocklist") || lists++ > 0) return std::nullopt;
    return FakeAzure::error(500, "OperationTimedOut");
  };
  const auto version = put();
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_EQ(lists, 2);
  EXPECT_EQ(fake_.server().requests().size(), 5U);
}

TEST_F(Blocks, AListWithAConditionIsSentOnce) {
  std::atomic<int> lists = 0;
  instead_ = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (!request.target.contains("blocklist")) return std::nullopt;
    ++lists;
    return Reply{"", support::Then::close};
  };
  EXPECT_EQ(put(Condition::if_absent()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(lists, 1);
}

}  // namespace
}  // namespace hearth::store::azure
