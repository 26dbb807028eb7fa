#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <thread>

#include "support/http_double.h"

namespace hearth::http {
namespace {

using std::chrono::milliseconds;
using support::HttpDouble;
using support::reply;
using support::Reply;
using support::SeenRequest;
using support::Then;
using testing::HasSubstr;
using testing::Not;

ClientOptions with_limits(milliseconds no_progress, milliseconds total = milliseconds(0)) {
  ClientOptions options;
  options.limits = {.connect = milliseconds(5'000), .no_progress = no_progress, .total = total};
  return options;
}

Result<Answer> get(const HttpDouble& server, const ClientOptions& options = {}, std::stop_token stop = {}) {
  Client client(options);
  return client.send({.method = "GET", .url = server.origin() + "/bucket/key?signature=secret"}, std::move(stop));
}

TEST(HttpClient, GivesTheWholeAnswerWhateverItsStatus) {
  const HttpDouble server([](const SeenRequest&) { return reply(418, "short and stout", "X-Kind: teapot \r\n"); });
  const auto answer = get(server);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 418);
  EXPECT_FALSE(answer->ok());
  EXPECT_EQ(answer->text(), "short and stout");
  EXPECT_EQ(value_of(answer->headers, "x-kind"), "teapot");
}

TEST(HttpClient, SendsMethodTargetHeadersAndBytesAsTheyAre) {
  HttpDouble server([](const SeenRequest&) { return reply(200); });
  Client client({});
  const std::string text("some\0bytes", 10);
  const Request request{.method = "PUT",
                        .url = server.origin() + "/a/../b%2Fc?x=%20",
                        .headers = {{"X-One", "1"}, {"X-Empty", ""}},
                        .content = std::as_bytes(std::span(text))};
  ASSERT_TRUE(client.send(request, {}));
  const SeenRequest seen = server.requests().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/a/../b%2Fc?x=%20");
  EXPECT_EQ(seen.header("x-one"), "1");
  EXPECT_TRUE(seen.headers.contains("x-empty"));
  EXPECT_EQ(seen.header("content-length"), "10");
  EXPECT_EQ(seen.header("expect"), "");
  EXPECT_EQ(seen.body, text);
}

TEST(HttpClient, SendsAPartOfAFileAndLeavesItsPositionAlone) {
  HttpDouble server([](const SeenRequest&) { return reply(200); });
  const util::Fd file(::memfd_create("content", MFD_CLOEXEC));
  ASSERT_TRUE(util::write_full(file.get(), std::string(1'000'000, 'a') + "middle" + std::string(10, 'z')));
  std::atomic<std::uint64_t> moved = 0;
  ClientOptions options;
  options.on_moved = [&moved](std::uint64_t bytes) { moved += bytes; };
  Client client(options);
  const FileRange range{&file, 999'990, 16};
  ASSERT_TRUE(client.send({.method = "POST", .url = server.origin() + "/", .headers = {}, .content = range}, {}));
  EXPECT_EQ(server.requests().at(0).method, "POST");
  EXPECT_EQ(server.requests().at(0).body, "aaaaaaaaaamiddle");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 1'000'016);
  // The content, and the fields of the answer.
  EXPECT_GT(moved, 16U);
  EXPECT_LT(moved, 300U);
  const FileRange too_long{&file, 1'000'000, 100};
  const auto short_file =
      client.send({.method = "PUT", .url = server.origin() + "/", .headers = {}, .content = too_long}, {});
  ASSERT_FALSE(short_file);
  EXPECT_EQ(short_file.error().kind, ErrorKind::invalid);
}

TEST(HttpClient, SendsContentInAFrame) {
  HttpDouble server([](const SeenRequest&) { return reply(200); });
  Client client({});
  const util::Fd file(::memfd_create("content", MFD_CLOEXEC));
  const std::string large(1'000'000, 'a');
  ASSERT_TRUE(util::write_full(file.get(), large + "z"));
  const auto post = [&](Framed framed) {
    const auto answer =
        client.send({.method = "POST", .url = server.origin() + "/", .headers = {}, .content = std::move(framed)}, {});
    EXPECT_TRUE(answer) << answer.error().message;
    return server.requests().back();
  };
  const SeenRequest seen = post({"<<", FileRange{&file, 1, 1'000'000}, ">>"});
  EXPECT_EQ(seen.header("content-length"), "1000004");
  EXPECT_TRUE(seen.body == "<<" + large.substr(1) + "z>>");
  EXPECT_EQ(post({"<", std::as_bytes(std::span(std::string_view("bytes"))), ">"}).body, "<bytes>");
  EXPECT_EQ(post({"", std::span<const std::byte>(), ">"}).body, ">");
}

TEST(HttpClient, HeadHasNoBody) {
  HttpDouble server(
      [](const SeenRequest&) { return Reply{"HTTP/1.1 200 X\r\nContent-Length: 77\r\n\r\n", Then::keep}; });
  Client client({});
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.send({.method = "HEAD", .url = server.origin() + "/x"}, {});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(value_of(answer->headers, "Content-Length"), "77");
    EXPECT_TRUE(answer->body.empty());
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ReusesConnectionsAcrossThreads) {
  HttpDouble server([](const SeenRequest&) { return reply(200, "x"); });
  Client client({});
  for (int round = 0; round < 10; ++round) {
    std::jthread([&] {
      const auto answer = client.send({.method = "GET", .url = server.origin() + "/x"}, {});
      EXPECT_TRUE(answer) << answer.error().message;
    }).join();
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, ConcurrentRequestsHaveConnectionsOfTheirOwn) {
  HttpDouble server([](const SeenRequest& request) { return reply(200, request.target); });
  Client client({});
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 6; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 20; ++i) {
          const std::string target = fmt::format("/{}-{}", thread, i);
          const auto answer = client.send({.method = "GET", .url = server.origin() + target}, {});
          ASSERT_TRUE(answer) << answer.error().message;
          EXPECT_EQ(answer->text(), target);
        }
      });
    }
  }
  EXPECT_LE(server.connections(), 6);
  EXPECT_EQ(server.requests().size(), 120U);
}

TEST(HttpClient, ABodyThatEndsEarlyIsUnavailable) {
  const Reply cut[] = {{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::close},
                       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::reset},
                       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", Then::close},
                       {"", Then::close},
                       {"", Then::reset},
                       {"HTTP/1.1 2", Then::close}};
  for (const Reply& bytes : cut) {
    const HttpDouble server([&](const SeenRequest&) { return bytes; });
    const auto answer = get(server);
    ASSERT_FALSE(answer) << bytes.bytes;
    EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << answer.error().message;
  }
}

TEST(HttpClient, AServerThatStallsIsUnavailable) {
  for (const char* begin : {"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}) {
    const HttpDouble server([&](const SeenRequest&) { return Reply{begin, Then::stall}; });
    const auto answer = get(server, with_limits(milliseconds(100)));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
    EXPECT_THAT(answer.error().message, HasSubstr("no progress"));
  }
}

TEST(HttpClient, AnAnswerThatIsLateByNatureIsWaitedFor) {
  const HttpDouble server([](const SeenRequest&) {
    std::this_thread::sleep_for(milliseconds(600));
    return reply(200);
  });
  ClientOptions options = with_limits(milliseconds(200));
  Client client(options);
  Request request{.method = "POST", .url = server.origin() + "/x"};
  EXPECT_EQ(client.send(request, {}).error().kind, ErrorKind::unavailable);
  request.answering = Answering::late;
  EXPECT_TRUE(client.send(request, {}));
  options.limits.late_answer = milliseconds(300);
  Client hasty(options);
  EXPECT_EQ(hasty.send(request, {}).error().kind, ErrorKind::unavailable);
}

TEST(HttpClient, AServerHasTimeToStoreMuchContent) {
  const HttpDouble server([](const SeenRequest&) {
    std::this_thread::sleep_for(milliseconds(1'500));
    return reply(200);
  });
  Client client(with_limits(milliseconds(1'000)));
  const std::vector<std::byte> content(std::size_t{32} << 20);
  const Request request{.method = "PUT", .url = server.origin() + "/x", .headers = {}, .content = std::span(content)};
  const auto answer = client.send(request, {});
  EXPECT_TRUE(answer) << answer.error().message;
}

// Reads what is sent in small pieces, slowly, and answers when it has that much of it.
class SlowReader {
 public:
  explicit SlowReader(std::size_t content) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int small = 4096;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length);
    ::listen(listener_.get(), 1);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    origin_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::jthread([this, content] { serve(content); });
  }
  const std::string& origin() const { return origin_; }

 private:
  void serve(std::size_t content) const {
    const util::Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 4096> piece = {};
    for (std::size_t got = 0; got < content;) {
      const ssize_t count = ::recv(connection.get(), piece.data(), piece.size(), 0);
      if (count <= 0) return;
      got += static_cast<std::size_t>(count);
      std::this_thread::sleep_for(milliseconds(20));
    }
    const std::string answer = reply(200).bytes;
    ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }

  util::Fd listener_;
  std::string origin_;
  std::jthread thread_;
};

// All of it fits into the kernel's buffer at once.
TEST(HttpClient, WhatTheKernelStillSendsIsProgress) {
  const std::vector<std::byte> content(300'000);
  const SlowReader server(content.size());
  std::mutex mutex;
  std::vector<std::uint64_t> steps;
  ClientOptions options = with_limits(milliseconds(500));
  options.on_moved = [&](std::uint64_t bytes) {
    const std::lock_guard lock(mutex);
    steps.push_back(bytes);
  };
  Client client(options);
  const Request request{.method = "PUT", .url = server.origin() + "/x", .headers = {}, .content = std::span(content)};
  const auto answer = client.send(request, {});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_GT(steps.size(), 4U);
  std::uint64_t moved = 0;
  for (const std::uint64_t step : steps) moved += step;
  EXPECT_GE(moved, content.size());
  EXPECT_LT(moved, content.size() + 300);
}

TEST(HttpClient, TheWholeRequestHasALimit) {
  const HttpDouble server([](const SeenRequest&) { return Reply{"", Then::stall}; });
  const auto answer = get(server, with_limits(milliseconds(60'000), milliseconds(100)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
}

TEST(HttpClient, AStopEndsARequestAtOnce) {
  const HttpDouble server([](const SeenRequest&) { return Reply{"", Then::stall}; });
  std::stop_source source;
  const auto began = std::chrono::steady_clock::now();
  const std::jthread stopper([&] {
    while (server.requests().empty()) std::this_thread::sleep_for(milliseconds(1));
    source.request_stop();
  });
  const auto answer = get(server, with_limits(milliseconds(60'000)), source.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::cancelled);
  // libcurl by itself looks once a second.
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(900));
  EXPECT_EQ(get(server, {}, source.get_token()).error().kind, ErrorKind::cancelled);
}

TEST(HttpClient, TooMuchIsNoProperAnswerAndErrorsAreCutOff) {
  HttpDouble server([](const SeenRequest& request) {
    return reply(request.target == "/error" ? 500 : 200, std::string(2'000'000, 'x'));
  });
  Client client({});
  Request request{.method = "GET", .url = server.origin() + "/x"};
  request.answer_limit = 1'999'999;
  const auto answer = client.send(request, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
  request.answer_limit = 2'000'000;
  EXPECT_EQ(client.send(request, {})->body.size(), 2'000'000U);
  request.url = server.origin() + "/error";
  request.answer_limit = 10;
  const auto error = client.send(request, {});
  ASSERT_TRUE(error) << error.error().message;
  EXPECT_EQ(error->body.size(), 1U << 20);
}

TEST(HttpClient, AConnectionThatTheServerClosedIsReplaced) {
  HttpDouble server([](const SeenRequest&) { return Reply{reply(200, "x").bytes, Then::close}; });
  Client client({});
  for (int i = 0; i < 5; ++i) {
    const auto answer = client.send({.method = "GET", .url = server.origin() + "/x"}, {});
    ASSERT_TRUE(answer) << answer.error().message;
  }
}

TEST(HttpClient, MessagesNameMethodHostAndPathAndNoSecret) {
  Client client({});
  const auto answer = client.send({.method = "PUT",
                                   .url = "http://user:hidden@127.0.0.1:1/bucket/key?sig=hidden",
                                   .headers = {{"Authorization", "hidden"}}},
                                  {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("PUT http://***@127.0.0.1:1/bucket/key: "));
  EXPECT_THAT(answer.error().message, Not(HasSubstr("hidden")));
}

TEST(HttpClient, ProxiesComeFromTheEnvironment) {
  HttpDouble proxy([](const SeenRequest& request) { return reply(200, request.target); });
  ::setenv("HTTP_PROXY", proxy.origin().c_str(), 1);
  ::setenv("NO_PROXY", "direct.invalid", 1);
  Client client({});
  const auto through = client.send({.method = "GET", .url = "http://store.invalid/x"}, {});
  const auto direct = client.send({.method = "GET", .url = "http://direct.invalid/x"}, {});
  ClientOptions without;
  without.proxies = Proxies::none;
  Client straight(without);
  const auto unproxied = straight.send({.method = "GET", .url = "http://store.invalid/x"}, {});
  ::unsetenv("HTTP_PROXY");
  ::unsetenv("NO_PROXY");
  ASSERT_TRUE(through) << through.error().message;
  EXPECT_EQ(through->text(), "http://store.invalid/x");
  EXPECT_EQ(direct.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(unproxied.error().kind, ErrorKind::unavailable);
}

TEST(HttpClient, AProxyThatCannotBeUsedIsNotQuoted) {
  for (const char* proxy : {"http://user:p/hidden@127.0.0.1:1", "gopher://user:hidden@127.0.0.1:1"}) {
    ::setenv("HTTP_PROXY", proxy, 1);
    Client client({});
    const auto answer = client.send({.method = "GET", .url = "http://store.invalid/x"}, {});
    ::unsetenv("HTTP_PROXY");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::invalid) << answer.error().message;
    EXPECT_THAT(answer.error().message, HasSubstr("the proxy that the environment names cannot be used"));
    EXPECT_THAT(answer.error().message, Not(HasSubstr("hidden")));
  }
}

TEST(HttpClient, ASizeThatIsAnnouncedIsNotBelieved) {
  const HttpDouble server([](const SeenRequest&) {
    return Reply{"HTTP/1.1 200 X\r\nContent-Length: 4611686018427387904\r\n\r\nhalf", Then::close};
  });
  Client client({});
  Request request{.method = "GET", .url = server.origin() + "/x"};
  request.answer_limit = UINT64_MAX;
  const auto answer = client.send(request, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << answer.error().message;
}

TEST(HttpClient, StatusesTellWhatTheCallerCanDo) {
  const std::pair<int, ErrorKind> expected[] = {
      {400, ErrorKind::invalid},     {401, ErrorKind::denied},      {403, ErrorKind::denied},
      {404, ErrorKind::not_found},   {408, ErrorKind::unavailable}, {409, ErrorKind::conflict},
      {412, ErrorKind::conflict},    {416, ErrorKind::invalid},     {429, ErrorKind::unavailable},
      {500, ErrorKind::unavailable}, {501, ErrorKind::invalid},     {503, ErrorKind::unavailable}};
  for (const auto& [status, kind] : expected) EXPECT_EQ(kind_of_status(status), kind) << status;
}

}  // namespace
}  // namespace hearth::http
