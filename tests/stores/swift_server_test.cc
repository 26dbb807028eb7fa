// The contract on the Swift server that the environment names (ST_AUTH, ST_USER, ST_KEY, and STORES_SWIFT_TLS_AUTH if
// it has one), and what only a real server can tell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "store/contract.h"
#include "store/open.h"
#include "store/swift/swift_store.h"
#include "store/swift/upload.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string variable_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string url_of(const std::string& parameters = "", const std::string& container = "hearth-contract") {
  return fmt::format("swift://{}/{}?transfers=3{}", container, util::random_hex(6), parameters);
}

OpenStore open_at(const std::string& url) {
  auto opened = open(url, {.create = Create::if_absent, .verification = http::Verification::full, .tier = {}});
  EXPECT_TRUE(opened) << opened.error().message;
  return std::move(opened).value();
}

StoreUnderTest plain() {
  return {nullptr, open_at(url_of()).store};
}

StoreUnderTest in_segments() {
  return {nullptr, open_at(url_of("&segment-size=1MiB")).store};
}

StoreUnderTest secure() {
  const std::string auth = util::percent_encode(variable_of("STORES_SWIFT_TLS_AUTH"));
  return {nullptr, open_at(url_of("&auth-url=" + auth)).store};
}

std::vector<StoreFactory> factories() {
  const Copies copies = variable_of("STORES_ONE_COPY").empty() ? Copies::several : Copies::one;
  std::vector<StoreFactory> made = {{"http", plain, Versions::of_contents, Names::utf8, copies},
                                    {"in_segments", in_segments, Versions::of_contents, Names::utf8, copies}};
  if (!variable_of("STORES_SWIFT_TLS_AUTH").empty())
    made.push_back({"https", secure, Versions::of_contents, Names::utf8, copies});
  return made;
}

INSTANTIATE_TEST_SUITE_P(Swift, StoreContract, testing::ValuesIn(factories()),
                         [](const auto& made) { return made.param.name; });

class SwiftServer : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(variable_of("ST_AUTH"), "") << "run it by tests/stores/with_server.py"; }
};

swift::SwiftOptions options_of(const std::string& url) {
  return swift::read_options(parse_store_url(url).value(), util::environment()).value();
}

// All names of the container of these options that begin so.
std::vector<std::string> names_below(const swift::SwiftOptions& options, const std::string& begin) {
  swift::SwiftOptions whole = options;
  whole.prefix = "";
  swift::Requests requests(whole);
  const auto answer = requests.send({.method = "GET",
                                     .of = swift::Call::Of::container,
                                     .object = {},
                                     .query = "format=json&prefix=" + util::percent_encode(begin)},
                                    {});
  EXPECT_TRUE(answer) << answer.error().message;
  std::vector<std::string> names;
  const std::vector<swift::ListedObject> listed = swift::parse_list(answer->text()).value();
  for (const swift::ListedObject& object : listed) names.push_back(object.name);
  return names;
}

TEST_F(SwiftServer, TellsWhatItCanDo) {
  open_at(url_of());
  swift::Requests requests(options_of(url_of()));
  const auto known = requests.capabilities({});
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_GT(known->deletes_at_once, 100U);
  EXPECT_TRUE(known->has_segments);
  EXPECT_GE(known->largest_object, std::uint64_t{5} << 30);
}

TEST_F(SwiftServer, HasNoCompareAndSwapButToldConflicts) {
  const OpenStore opened = open_at(url_of());
  EXPECT_EQ(opened.store->compare_and_swap(), CompareAndSwap::absent);
  const auto first = opened.store->put(key("HEAD"), bytes_of("1"), Condition::if_absent(), {});
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(opened.store->put(key("HEAD"), bytes_of("2"), Condition::if_version(*first), {}));
  const auto late = opened.store->put(key("HEAD"), bytes_of("3"), Condition::if_version(*first), {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::conflict);
}

// A name that is encoded differently in a URL, in a manifest and in a bulk deletion.
const std::string kLarge = "a/large +%2F&\"caf\xc3\xa9";

TEST_F(SwiftServer, SegmentsBecomeOneObjectAndGoWithIt) {
  const std::string url = url_of("&segment-size=1MiB");
  const OpenStore opened = open_at(url);
  const swift::SwiftOptions options = options_of(url);
  const std::string segments = std::string(swift::kSegments) + options.prefix;
  const util::Fd file(::memfd_create("body", MFD_CLOEXEC));
  std::string text;
  while (text.size() < 5'500'000) text += util::random_hex(4096);
  ASSERT_TRUE(util::write_full(file.get(), text));
  for (int round = 0; round < 2; ++round) {
    const auto version = opened.store->put(key(kLarge), &file, Condition::none(), {});
    ASSERT_TRUE(version) << version.error().message;
    const auto object = opened.store->get(key(kLarge), {}, {});
    ASSERT_TRUE(object) << object.error().message;
    EXPECT_EQ(object->info.version, *version);
    EXPECT_TRUE(text_of(object->bytes) == text);
    EXPECT_EQ(text_of(opened.store->get(key(kLarge), {1'048'570, 20}, {})->bytes), text.substr(1'048'570, 20));
    EXPECT_EQ(opened.store->stat(key(kLarge), {})->size, text.size());
  }
  EXPECT_GE(opened.meter->moved(), 4 * text.size());
  std::vector<ObjectInfo> seen;
  const auto collect = [&](const ObjectInfo& info) -> Result<void> {
    seen.push_back(info);
    return {};
  };
  ASSERT_TRUE(opened.store->list({}, collect, {}));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].size, text.size());
  EXPECT_EQ(seen[0].version, opened.store->stat(key(kLarge), {})->version);
  EXPECT_EQ(names_below(options, segments).size(), 12U);  // of both
  ASSERT_TRUE(opened.store->put(key(kLarge + "/beside"), &file, Condition::none(), {}));
  const auto removed = opened.store->remove(key(kLarge), {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(names_below(options, segments).size(), 6U);
  EXPECT_EQ(opened.store->get(key(kLarge + "/beside"), {}, {})->bytes.size(), text.size());
  const std::vector<Key> rest = {key(kLarge + "/beside"), key("never")};
  ASSERT_TRUE(opened.store->remove_each(rest, {}));
  EXPECT_THAT(names_below(options, segments), IsEmpty());
}

TEST_F(SwiftServer, AStoreThatIsAWholeContainerShowsNoSegments) {
  const OpenStore opened = open_at(fmt::format("swift://top-{}?segment-size=1MiB", util::random_hex(6)));
  const std::string text(1'500'000, 'x');
  ASSERT_TRUE(opened.store->put(key(kLarge), bytes_of(text), Condition::none(), {}));
  ASSERT_TRUE(opened.store->put(key("z"), bytes_of("z"), Condition::none(), {}));
  EXPECT_THAT(keys_below(*opened.store, ""), ElementsAre(kLarge, "z"));
  const std::vector<Key> keys = {key(kLarge), key("z")};
  const auto removed = opened.store->remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_THAT(keys_below(*opened.store, ""), IsEmpty());
}

TEST_F(SwiftServer, AnUploadThatIsStoppedLeavesNoSegments) {
  const std::string url = url_of("&segment-size=1MiB");
  std::stop_source source;
  swift::SwiftOptions options = options_of(url);
  std::atomic<std::uint64_t> moved = 0;
  options.http.on_moved = [&](std::uint64_t bytes) {
    if ((moved += bytes) > 4'000'000) source.request_stop();
  };
  swift::SwiftStore store(options);
  ASSERT_TRUE(store.create_bucket({}));
  const std::string text(20'000'000, 'x');
  const auto put = store.put(key("a"), bytes_of(text), Condition::none(), source.get_token());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::cancelled);
  EXPECT_THAT(names_below(options, std::string(swift::kSegments) + options.prefix), IsEmpty());
}

TEST_F(SwiftServer, ListsPastOnePageAndDeletesPastOneRequest) {
  constexpr int kObjects = 1'205;
  const OpenStore opened = open_at(url_of());
  std::vector<Key> keys;
  for (int i = 0; i < kObjects; ++i) keys.push_back(key(fmt::format("many/{:05} +%&?", i)));
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
  EXPECT_THAT(keys_below(*opened.store, "many/"), IsEmpty());
}

TEST_F(SwiftServer, AnAbsentContainerIsNamed) {
  const OpenStore opened = open(url_of("", "hearth-absent")).value();
  const auto nothing = [](const ObjectInfo&) -> Result<void> { return {}; };
  const Error errors[] = {opened.store->get(key("a"), {}, {}).error(), opened.store->stat(key("a"), {}).error(),
                          opened.store->put(key("a"), bytes_of("x"), Condition::none(), {}).error(),
                          opened.store->list({}, nothing, {}).error()};
  for (const Error& error : errors) {
    EXPECT_EQ(error.kind, ErrorKind::invalid);
    EXPECT_THAT(error.message,
                HasSubstr("there is no container hearth-absent; create it, or let --create-store do so"));
  }
}

TEST_F(SwiftServer, WrongKeysAreDeniedAndNotShown) {
  auto environment = util::environment();
  const std::pair<std::string, std::string> wrong[] = {{variable_of("ST_USER"), "hidden"}, {"nobody:x", "hidden"}};
  for (const auto& [user, secret] : wrong) {
    environment["ST_USER"] = user;
    environment["ST_KEY"] = secret;
    swift::SwiftStore store(swift::read_options(parse_store_url(url_of()).value(), environment).value());
    const auto object = store.get(key("a"), {}, {});
    ASSERT_FALSE(object);
    EXPECT_EQ(object.error().kind, ErrorKind::denied) << object.error().message;
    EXPECT_THAT(object.error().message, Not(HasSubstr("hidden")));
    EXPECT_THAT(object.error().message, HasSubstr("the credentials for Swift were refused"));
  }
}

TEST_F(SwiftServer, ATokenOfTheEnvironmentIsUsedAsItIs) {
  swift::SwiftOptions options = options_of(url_of());
  open_at(url_of());
  http::Client client({});
  const auto session = swift::authenticate(client, options, {});
  ASSERT_TRUE(session) << session.error().message;
  const Environment given = {{"OS_AUTH_TOKEN", session->token}, {"OS_STORAGE_URL", session->storage_url + "/"}};
  swift::SwiftStore store(swift::read_options(parse_store_url(url_of()).value(), given).value());
  ASSERT_TRUE(store.put(key("a"), bytes_of("x"), Condition::none(), {}));
  EXPECT_THAT(keys_below(store, ""), ElementsAre("a"));
}

// Makes a server with tempauth forget all tokens: memcached has them.
void forget_tokens(const std::string& port) {
  const util::Fd connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  ASSERT_EQ(::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(util::write_full(connection.get(), std::string_view("flush_all\r\n")));
  char answer[4] = {};
  ASSERT_EQ(::recv(connection.get(), answer, sizeof answer, MSG_WAITALL), 4);
  ASSERT_EQ(std::string_view(answer, 2), "OK");
}

TEST_F(SwiftServer, ATokenThatIsNoLongerValidIsReplaced) {
  const std::string port = variable_of("STORES_SWIFT_MEMCACHED");
  if (port.empty()) GTEST_SKIP() << "this server's tokens cannot be made invalid";
  const OpenStore opened = open_at(url_of());
  const std::vector<Key> keys = {key("a"), key("b"), key("c")};
  for (const Key& one : keys) {
    forget_tokens(port);
    const auto put = opened.store->put(one, bytes_of("x"), Condition::none(), {});
    ASSERT_TRUE(put) << put.error().message;
  }
  forget_tokens(port);
  EXPECT_THAT(keys_below(*opened.store, ""), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(opened.store->remove_each(std::span(keys).first(2), {}));
  forget_tokens(port);
  const auto removed = opened.store->remove_each(keys, {});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_THAT(keys_below(*opened.store, ""), IsEmpty());
}

}  // namespace
}  // namespace hearth::store
