// The contract on the Azurite that the environment names (STORES_AZURE_ENDPOINT, STORES_AZURE_TLS_ENDPOINT), and what
// only a real server can tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <thread>

#include "store/azure/azure_store.h"
#include "store/azure/names.h"
#include "store/contract.h"
#include "store/open.h"
#include "stores/azure_sas.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::store {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string from_environment(const char* name) {
  return variable(util::environment(), name);
}

std::string url_of(const std::string& endpoint, const std::string& container = "hearth-contract") {
  return fmt::format("azblob://{}/{}?endpoint={}", container, util::random_hex(6), util::percent_encode(endpoint));
}

OpenStore open_at(const std::string& endpoint) {
  auto opened =
      open(url_of(endpoint), {.create = Create::if_absent, .verification = http::Verification::full, .tier = {}});
  EXPECT_TRUE(opened) << opened.error().message;
  return std::move(opened).value();
}

// A store with other credentials than the environment's.
std::unique_ptr<azure::AzureStore> open_with(const std::string& url, const azure::Credentials& credentials,
                                             std::uint32_t page = 5'000) {
  azure::Configuration made = azure::read_options(parse_store_url(url).value(), util::environment()).value();
  made.options.page = page;
  const azure::CredentialProvider provider = {
      "the test",
      [credentials](const std::stop_token&) -> Result<std::optional<azure::Credentials>> { return credentials; }};
  return std::make_unique<azure::AzureStore>(made.options, std::vector{provider});
}

azure::Credentials sas(const std::string& permissions, std::chrono::minutes lifetime = std::chrono::minutes(10),
                       const std::string& container = "hearth-contract") {
  const azure::SasTerms terms{.account = from_environment("AZURE_STORAGE_ACCOUNT"),
                              .key = from_environment("AZURE_STORAGE_KEY"),
                              .container = container,
                              .permissions = permissions,
                              .expiry = std::chrono::system_clock::now() + lifetime};
  return {azure::Sas{azure::container_sas(terms)}};
}

StoreUnderTest plain() {
  return {nullptr, open_at(from_environment("STORES_AZURE_ENDPOINT")).store};
}

StoreUnderTest secure() {
  return {nullptr, open_at(from_environment("STORES_AZURE_TLS_ENDPOINT")).store};
}

StoreUnderTest by_signature() {
  plain();  // makes the container
  return {nullptr, open_with(url_of(from_environment("STORES_AZURE_ENDPOINT")), sas("rcwdl"))};
}

INSTANTIATE_TEST_SUITE_P(Azure, StoreContract,
                         testing::Values(StoreFactory{"http", plain}, StoreFactory{"https", secure},
                                         StoreFactory{"sas", by_signature}),
                         [](const auto& made) { return made.param.name; });

class AzureServer : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(endpoint_, "") << "run it by tests/stores/with_server.py";
    opened_ = open_at(endpoint_);
  }
  ObjectStore& store() { return *opened_.store; }
  const std::string endpoint_ = from_environment("STORES_AZURE_ENDPOINT");
  OpenStore opened_;
};

TEST_F(AzureServer, BlocksBecomeOneBlobAlsoUnderAConditionAndRacing) {
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  std::string text;
  while (text.size() < 25'000'000) text += util::random_hex(4096);
  ASSERT_TRUE(util::write_full(file.get(), text));
  const auto version = store().put(key("large"), &file, Condition::if_absent(), {});
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_GE(opened_.meter->moved(), text.size());
  const auto object = store().get(key("large"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->info.version, *version);
  EXPECT_TRUE(text_of(object->bytes) == text);
  EXPECT_EQ(text_of(store().get(key("large"), {8'388'600, 20}, {})->bytes), text.substr(8'388'600, 20));
  EXPECT_EQ(store().put(key("large"), &file, Condition::if_version({"0x1"}), {}).error().kind, ErrorKind::conflict);
  EXPECT_TRUE(store().put(key("large"), &file, Condition::if_version(*version), {}));
}

TEST_F(AzureServer, ADamagedUploadIsRefused) {
  const azure::Configuration made =
      azure::read_options(parse_store_url(url_of(endpoint_)).value(), util::environment()).value();
  azure::Requests requests(made.options, made.providers);
  const std::string text = "hellO";
  for (const azure::Query& query : {azure::Query{}, azure::Query{{"comp", "block"}, {"blockid", "AAAA"}}}) {
    const azure::Call call{.method = "PUT",
                           .blob = "damaged",
                           .query = query,
                           .headers = {{"x-ms-blob-type", "BlockBlob"}, {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="}},
                           .content = bytes_of(text)};
    const auto refused = requests.demand(call, "PUT", {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::unavailable) << refused.error().message;
  }
  EXPECT_EQ(requests.demand({.method = "HEAD", .blob = "damaged"}, "HEAD", {}).error().kind, ErrorKind::not_found);
}

TEST_F(AzureServer, ListsPastOnePage) {
  constexpr int kObjects = 205;
  const auto direct = open_with(url_of(endpoint_), sas("rcwdl"), 50);
  std::vector<Key> keys;
  for (int i = 0; i < kObjects; ++i) keys.push_back(key(fmt::format("many/{:05} +%&<", i)));
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([&, writer] {
        for (std::size_t i = static_cast<std::size_t>(writer); i < keys.size(); i += 4) {
          EXPECT_TRUE(direct->put(keys[i], bytes_of("x"), Condition::none(), {}));
        }
      });
    }
  }
  const auto listed = keys_below(*direct, "many/");
  ASSERT_EQ(listed.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(listed[i], keys[i].text());
  const auto removed = direct->remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(keys_below(*direct, "many/").empty());
}

TEST_F(AzureServer, AnAbsentContainerIsNamed) {
  const OpenStore absent = open(url_of(endpoint_, "hearth-absent")).value();
  const auto object = absent.store->get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::invalid);
  EXPECT_THAT(object.error().message, HasSubstr("there is no container hearth-absent"));
  EXPECT_EQ(absent.store->stat(key("a"), {}).error().kind, ErrorKind::invalid);
  EXPECT_EQ(absent.store->put(key("a"), bytes_of("x"), Condition::none(), {}).error().kind, ErrorKind::invalid);
}

TEST_F(AzureServer, WhatIsNotPermittedIsDeniedAndNotShown) {
  const azure::Credentials wrong[] = {{azure::AccountKey{"hidden"}},
                                      {azure::Sas{"sv=2021-12-02&sr=c&sp=rcwdl&se=2099-01-01&sig=hidden"}},
                                      {azure::Bearer{"hidden"}},
                                      sas("rwdl", std::chrono::minutes(-5)),
                                      sas("l"),
                                      sas("rcwdl", std::chrono::minutes(5), "another")};
  for (const azure::Credentials& credentials : wrong) {
    const auto object = open_with(url_of(endpoint_), credentials)->put(key("a"), bytes_of("x"), Condition::none(), {});
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().kind, ErrorKind::denied) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
    EXPECT_THAT(object.error().message, Not(HasSubstr("sig")));
  }
}

TEST_F(AzureServer, AContainersOwnSignatureFindsItsContainer) {
  EXPECT_TRUE(open_with(url_of(endpoint_), sas("rcwdl"))->create_bucket({}));
}

TEST_F(AzureServer, TakesTheNamesThatStandForKeys) {
  const auto put = store().put(key("x./y\\z"), bytes_of("1"), Condition::none(), {});
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_TRUE(store().put(key("x/y/z"), bytes_of("2"), Condition::none(), {}));
  EXPECT_EQ(text_of(store().get(key("x./y\\z"), {}, {})->bytes), "1");
}

}  // namespace
}  // namespace hearth::store
