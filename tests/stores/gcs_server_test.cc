// The contract on the Google Cloud Storage that the environment names (STORES_GCS_…), by every way of logging in, and
// what a server's faults in the middle of a transfer make of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <thread>

#include "store/contract.h"
#include "store/gcs/gcs_store.h"
#include "store/open.h"
#include "util/text.h"

namespace hearth::store {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kBucket = "hearth-contract";

std::string variable_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// How a store is reached and who asks; of an emulator nobody is asked who he is.
gcs::GcsOptions options_of(const char* endpoint, const std::string& parameters = "",
                           const std::string& bucket = kBucket) {
  const std::string where = variable_of(endpoint);
  const bool emulator = std::string_view(endpoint) == "STORES_GCS_EMULATOR";
  const std::string url = fmt::format("gs://{}/{}?project=hearth-tests{}{}{}", bucket, util::random_hex(6),
                                      emulator ? "" : "&endpoint=", emulator ? "" : util::percent_encode(where),
                                      parameters.empty() ? "" : "&" + parameters);
  Environment environment;
  if (emulator) environment["STORAGE_EMULATOR_HOST"] = where;
  auto options = gcs::read_options(parse_store_url(url).value(), environment);
  EXPECT_TRUE(options) << options.error().message;
  options->http.ca_file = variable_of("STORES_CA_FILE");
  return *std::move(options);
}

std::unique_ptr<gcs::GcsStore> open_at(const gcs::GcsOptions& options, const Environment& environment = {}) {
  auto store = std::make_unique<gcs::GcsStore>(options, gcs::default_providers(environment, options.credentials));
  const auto created = store->create_bucket({});
  EXPECT_TRUE(created) << created.error().message;
  return store;
}

std::unique_ptr<gcs::GcsStore> emulator() {
  return open_at(options_of("STORES_GCS_EMULATOR"));
}

std::unique_ptr<gcs::GcsStore> by_file(const char* endpoint, const char* file) {
  return open_at(options_of(endpoint, "credentials=" + util::percent_encode(variable_of(file))));
}

StoreFactory factory(const std::string& name, const std::function<std::unique_ptr<gcs::GcsStore>()>& make) {
  const auto made = [make] {
    StoreUnderTest store;
    store.store = make();
    return store;
  };
  return {name, made, Versions::of_writes, Names::utf8};
}

INSTANTIATE_TEST_SUITE_P(Gcs, StoreContract,
                         testing::Values(factory("emulator", emulator),
                                         factory("https_service_account",
                                                 [] {
                                                   return by_file("STORES_GCS_TLS_ENDPOINT", "STORES_GCS_ACCOUNT");
                                                 })),
                         [](const auto& made) { return made.param.name; });

class GcsServer : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(variable_of("STORES_GCS_EMULATOR"), "") << "run it by tests/stores/with_server.py";
  }

  static std::string text_of_size(std::size_t size) {
    std::string text;
    while (text.size() < size) text += util::random_hex(4096);
    text.resize(size);
    return text;
  }

  http::Answer control(const std::string& method, const std::string& fault = "") {
    auto answer = client_.send({.method = method,
                                .url = variable_of("STORES_GCS_EMULATOR") + "/fault",
                                .headers = {},
                                .content = bytes_of(fault)},
                               {});
    EXPECT_TRUE(answer && answer->ok());
    return *std::move(answer);
  }
  void inject(const std::string& fault) { control("POST", fault); }
  int requests_so_far() {
    const http::Answer told = control("GET");
    return std::stoi(std::string(told.text().substr(told.text().find("\"requests\": ") + 12)));
  }
  // Every fault has happened, and no upload is left behind.
  void expect_all_over() {
    const http::Answer left = control("GET");
    EXPECT_THAT(left.text(), HasSubstr("\"left\": 0"));
    EXPECT_THAT(left.text(), HasSubstr("\"unfinished\": 0"));
  }

  http::Client client_{{}};
  std::unique_ptr<gcs::GcsStore> store_ = emulator();
};

TEST_F(GcsServer, EveryKindOfCredentialsIsTaken) {
  for (const char* file : {"STORES_GCS_ACCOUNT", "STORES_GCS_USER", "STORES_GCS_FEDERATED"}) {
    const auto store = by_file("STORES_GCS_ENDPOINT", file);
    const auto put = store->put(key("a"), bytes_of(file), Condition::if_absent(), {});
    ASSERT_TRUE(put) << file << ": " << put.error().message;
    EXPECT_EQ(text_of(store->get(key("a"), {}, {})->bytes), file);
  }
  const auto store =
      open_at(options_of("STORES_GCS_ENDPOINT"), {{"GCE_METADATA_HOST", variable_of("STORES_GCS_METADATA")}});
  EXPECT_TRUE(store->put(key("a"), bytes_of("x"), Condition::none(), {}));
}

TEST_F(GcsServer, WithoutCredentialsItIsDenied) {
  gcs::GcsStore store(options_of("STORES_GCS_ENDPOINT"), gcs::default_providers({{"NO_GCE_CHECK", "true"}}, ""));
  const auto object = store.get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::denied);
  EXPECT_THAT(object.error().message, HasSubstr("no credentials for Google Cloud Storage were found"));
}

TEST_F(GcsServer, AnExpiredTokenIsRenewedAlsoInTheMiddleOfAnUpload) {
  const auto store = by_file("STORES_GCS_ENDPOINT", "STORES_GCS_ACCOUNT");
  ASSERT_TRUE(store->put(key("a"), bytes_of("x"), Condition::none(), {}));
  inject(R"({"kind": "expire-tokens"})");
  EXPECT_EQ(text_of(store->get(key("a"), {}, {})->bytes), "x");
  inject(R"({"kind": "expire-tokens"})");
  ASSERT_TRUE(store->put(key("large"), bytes_of(text_of_size(17'000'000)), Condition::none(), {}));
}

TEST_F(GcsServer, ACutUploadGoesOnWhereItWasCut) {
  const std::string text = text_of_size(25'000'000);
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_TRUE(util::write_full(file.get(), text));
  std::uint64_t moved = 0;
  gcs::GcsOptions options = options_of("STORES_GCS_EMULATOR");
  options.http.on_moved = [&moved](std::uint64_t bytes) { moved += bytes; };
  const auto store = open_at(options);
  const int before = requests_so_far();
  inject(R"({"kind": "cut-upload", "after": 9000000, "times": 2})");
  const auto version = store->put(key("large"), &file, Condition::if_absent(), {});
  ASSERT_TRUE(version) << version.error().message;
  // Had it begun anew, twice 9 MB more would have moved.
  EXPECT_LT(moved, 40'000'000U);
  // The fault's injection, a begin, three pieces, twice a question between them; and this one.
  EXPECT_EQ(requests_so_far() - before, 8);
  const auto object = store->get(key("large"), {}, {});
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_TRUE(text_of(object->bytes) == text);
  EXPECT_EQ(object->info.version, *version);
  expect_all_over();
  EXPECT_EQ(store->put(key("large"), &file, Condition::if_absent(), {}).error().kind, ErrorKind::conflict);
  EXPECT_TRUE(store->put(key("large"), &file, Condition::if_version(*version), {}));
}

TEST_F(GcsServer, AnUploadSurvivesAServerThatIsUnavailable) {
  inject(R"({"kind": "status", "status": 503, "method": "PUT", "times": 2})");
  const auto version = store_->put(key("large"), bytes_of(text_of_size(17'000'000)), Condition::none(), {});
  ASSERT_TRUE(version) << version.error().message;
  expect_all_over();
}

TEST_F(GcsServer, AnUploadThatTheServerForgetsIsUnavailable) {
  const std::string text = text_of_size(17'000'000);
  inject(R"({"kind": "cut-upload", "after": 5000000})");
  inject(R"({"kind": "status", "status": 410, "method": "PUT"})");
  const auto version = store_->put(key("large"), bytes_of(text), Condition::none(), {});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::unavailable);
  inject(R"({"kind": "lose-uploads"})");
  EXPECT_TRUE(store_->put(key("large"), bytes_of(text), Condition::none(), {}));
}

TEST_F(GcsServer, ARefusedUploadIsCancelled) {
  inject(R"({"kind": "status", "status": 403, "method": "PUT"})");
  const auto version = store_->put(key("large"), bytes_of(text_of_size(17'000'000)), Condition::none(), {});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().kind, ErrorKind::denied);
  expect_all_over();
}

TEST_F(GcsServer, WhatIsDamagedOnItsWayIsRefusedByEitherSide) {
  ASSERT_TRUE(store_->put(key("a"), bytes_of("before"), Condition::none(), {}));
  for (const std::size_t size : {std::size_t{100}, std::size_t{17'000'000}}) {
    inject(R"({"kind": "damage-upload"})");
    const auto damaged = store_->put(key("a"), bytes_of(text_of_size(size)), Condition::none(), {});
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().kind, ErrorKind::unavailable) << damaged.error().message;
  }
  EXPECT_EQ(text_of(store_->get(key("a"), {}, {})->bytes), "before");
  inject(R"({"kind": "damage-download"})");
  const auto read = store_->get(key("a"), {}, {});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::unavailable);
  inject(R"({"kind": "cut-download"})");
  EXPECT_EQ(store_->get(key("a"), {}, {}).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(text_of(store_->get(key("a"), {}, {})->bytes), "before");
  expect_all_over();
}

TEST_F(GcsServer, ListsPastOnePageAndDeletesThemAll) {
  constexpr int kObjects = 1'205;
  std::vector<Key> keys;
  for (int i = 0; i < kObjects; ++i) keys.push_back(key(fmt::format("many/{:05} +%", i)));
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 8; ++writer) {
      writers.emplace_back([&, writer] {
        for (std::size_t i = static_cast<std::size_t>(writer); i < keys.size(); i += 8) {
          EXPECT_TRUE(store_->put(keys[i], bytes_of("x"), Condition::none(), {}));
        }
      });
    }
  }
  const auto listed = keys_below(*store_, "many/");
  ASSERT_EQ(listed.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(listed[i], keys[i].text());
  const auto removed = store_->remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(keys_below(*store_, "many/").empty());
}

TEST_F(GcsServer, AnAbsentBucketIsNamed) {
  gcs::GcsStore store(options_of("STORES_GCS_EMULATOR", "", "hearth-absent"), {});
  const auto none = [](const ObjectInfo&) -> Result<void> { return {}; };
  const Error errors[] = {store.get(key("a"), {}, {}).error(), store.stat(key("a"), {}).error(),
                          store.put(key("a"), bytes_of("x"), Condition::none(), {}).error(),
                          store.list(Prefix(), none, {}).error(), store.remove(key("a"), {}).error()};
  for (const Error& error : errors) {
    EXPECT_EQ(error.kind, ErrorKind::invalid) << error.message;
    EXPECT_THAT(error.message, HasSubstr("there is no bucket hearth-absent; create it, or let --create-store do so"));
  }
}

TEST_F(GcsServer, RefusedCredentialsAreNotShown) {
  const std::string path = variable_of("STORES_GCS_USER") + ".wrong";
  ASSERT_TRUE(util::write_file(path, fmt::format(R"({{"type": "authorized_user", "client_id": "x",
      "client_secret": "hidden", "refresh_token": "hidden", "token_uri": "{}/token"}})",
                                                 variable_of("STORES_GCS_ENDPOINT"))));
  gcs::GcsStore store(options_of("STORES_GCS_ENDPOINT"), gcs::default_providers({}, path));
  const auto object = store.get(key("a"), {}, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().kind, ErrorKind::denied);
  EXPECT_THAT(object.error().message, HasSubstr("the server of tokens answered 400 invalid_grant"));
  EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace hearth::store
