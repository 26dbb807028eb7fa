// The contract on the S3 server that the environment names (STORES_S3_ENDPOINT, and STORES_S3_TLS_ENDPOINT if it has
// one; STORES_WITHOUT_SWAP where it has no compare-and-swap, STORES_ONE_COPY where it keeps one copy), and what only a
// real server can tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <thread>

#include "store/contract.h"
#include "store/open.h"
#include "store/s3/s3_store.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::store {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string url_of(const std::string& endpoint, const std::string& bucket = "hearth-contract") {
  return fmt::format("s3://{}/{}?endpoint={}", bucket, util::random_hex(6), util::percent_encode(endpoint));
}

OpenStore open_at(const std::string& endpoint) {
  auto opened =
      open(url_of(endpoint), {.create = Create::if_absent, .verification = http::Verification::full, .tier = {}});
  EXPECT_TRUE(opened) << opened.error().message;
  return std::move(opened).value();
}

StoreUnderTest plain() {
  return {nullptr, open_at(variable("STORES_S3_ENDPOINT")).store};
}

StoreUnderTest secure() {
  return {nullptr, open_at(variable("STORES_S3_TLS_ENDPOINT")).store};
}

std::vector<StoreFactory> factories() {
  const Copies copies = variable("STORES_ONE_COPY").empty() ? Copies::several : Copies::one;
  std::vector<StoreFactory> made = {{"http", plain, Versions::of_contents, Names::utf8, copies}};
  if (!variable("STORES_S3_TLS_ENDPOINT").empty())
    made.push_back({"https", secure, Versions::of_contents, Names::utf8, copies});
  return made;
}

INSTANTIATE_TEST_SUITE_P(S3, StoreContract, testing::ValuesIn(factories()),
                         [](const auto& made) { return made.param.name; });

class S3Server : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(variable("STORES_S3_ENDPOINT"), "") << "run it by tests/stores/with_server.py"; }
  const std::string endpoint_ = variable("STORES_S3_ENDPOINT");
};

TEST_F(S3Server, FindsOutWhetherThereIsCompareAndSwap) {
  const OpenStore opened = open_at(endpoint_);
  const auto version = opened.store->put(key("HEAD"), bytes_of("1"), Condition::if_absent(), {});
  ASSERT_TRUE(version) << version.error().message;
  ASSERT_TRUE(opened.store->put(key("HEAD"), bytes_of("2"), Condition::if_version(*version), {}));
  const bool without = !variable("STORES_WITHOUT_SWAP").empty();
  EXPECT_EQ(opened.store->compare_and_swap(), without ? CompareAndSwap::absent : CompareAndSwap::honoured);
}

TEST_F(S3Server, PartsBecomeOneObject) {
  const OpenStore opened = open_at(endpoint_);
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  std::string text;
  while (text.size() < 25'000'000) text += util::random_hex(4096);
  ASSERT_TRUE(util::write_full(file.get(), text));
  const auto version = opened.store->put(key("large"), &file, Condition::none(), {});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_THAT(version->text, HasSubstr("-3"));
  EXPECT_GE(opened.meter->moved(), text.size());
  const auto object = opened.store->get(key("large"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->info.version, *version);
  EXPECT_TRUE(text_of(object->bytes) == text);
  EXPECT_EQ(text_of(opened.store->get(key("large"), {8'388'600, 20}, {})->bytes), text.substr(8'388'600, 20));
}

TEST_F(S3Server, ListsPastOnePageAndDeletesPastOneRequest) {
  constexpr int kObjects = 1'205;
  const OpenStore opened = open_at(endpoint_);
  std::vector<Key> keys;
  for (int i = 0; i < kObjects; ++i) keys.push_back(key(fmt::format("many/{:05} +%", i)));
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 8; ++writer) {
      writers.emplace_back([&, writer] {
        for (std::size_t i = static_cast<std::size_t>(writer); i < keys.size(); i += 8) {
          EXPECT_TRUE(opened.store->put(keys[i], bytes_of("x"), Condition::none(), {}));
        }
      });
    }
  }
  const auto listed = keys_below(*opened.store, "many/");
  ASSERT_EQ(listed.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(listed[i], keys[i].text());
  const auto removed = opened.store->remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(keys_below(*opened.store, "many/").empty());
}

TEST_F(S3Server, AnAbsentBucketIsNamed) {
  const OpenStore opened = open(url_of(endpoint_, "hearth-absent")).value();
  const auto object = opened.store->get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::invalid);
  EXPECT_THAT(object.error().message, HasSubstr("there is no bucket hearth-absent"));
}

// A store with other keys than the environment's.
s3::S3Store with_keys(const std::string& endpoint, s3::Credentials credentials) {
  const s3::S3Options options = s3::read_options(parse_store_url(url_of(endpoint)).value(), {}).value();
  return {options, {{"the test", [credentials](const std::stop_token&) -> Result<std::optional<s3::Credentials>> {
                       return credentials;
                     }}}};
}

TEST_F(S3Server, WrongKeysAreDeniedAndNotShown) {
  const s3::Credentials wrong[] = {{variable("AWS_ACCESS_KEY_ID"), "hidden"}, {"nobody", "hidden"}};
  for (const s3::Credentials& credentials : wrong) {
    s3::S3Store store = with_keys(endpoint_, credentials);
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().kind, ErrorKind::denied) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
  }
}

TEST_F(S3Server, TakesPresignedUrls) {
  const OpenStore opened = open_at(endpoint_);
  const s3::S3Options options =
      s3::read_options(parse_store_url(url_of(endpoint_)).value(), util::environment()).value();
  s3::Requests requests(options, s3::default_providers(util::environment(), "", options.region));
  const std::string object = "presigned/" + util::random_hex(6) + " +%";
  const auto put_url = requests.presigned("PUT", object, std::chrono::seconds(60), {});
  const auto get_url = requests.presigned("GET", object, std::chrono::seconds(60), {});
  ASSERT_TRUE(put_url && get_url);
  http::Client client({});
  const auto put = client.send({.method = "PUT", .url = *put_url, .headers = {}, .content = bytes_of("by URL")}, {});
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(put->status, 200) << put->text();
  const auto got = client.send({.method = "GET", .url = *get_url}, {});
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->text(), "by URL");
}

}  // namespace
}  // namespace hearth::store
