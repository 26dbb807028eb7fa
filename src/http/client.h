// Requests to servers that are asked again and again: connections are kept and shared between threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "http/headers.h"
#include "http/transport.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::http {

// A part of an open file, read with pread; its position is never moved.
struct FileRange {
  const util::Fd* file = nullptr;  // outlives the request
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// One piece of content with bytes around it, as in a multipart message.
struct Framed {
  std::string before;
  std::variant<std::span<const std::byte>, FileRange> content;
  std::string after;
};

// What a request carries: nothing, bytes in memory that outlive it, a part of a file, or either of these in a frame.
using Content = std::variant<std::monostate, std::span<const std::byte>, FileRange, Framed>;

// In bytes.
std::uint64_t length_of(const Content& content);

// A connection that was kept may turn out dead: whether content that began to travel on it is sent once more, all of
// it, on a new one.
enum class DeadConnection { send_again, fail };

// When a server begins to answer a request that it has as a whole: at once, or after work that takes its time (it puts
// many parts together, or looks through many objects).
enum class Answering { at_once, late };

struct Request {
  std::string method = "GET";
  std::string url;  // absolute and percent-encoded; sent as it is
  Headers headers = {};
  Content content = {};
  // Bytes of an answer 2xx that are taken; a longer one is unavailable. Of other answers at most 1 MiB is kept.
  std::uint64_t answer_limit = std::uint64_t{16} << 20;
  DeadConnection dead_connection = DeadConnection::send_again;
  Answering answering = Answering::at_once;
};

// A complete answer, whatever its status.
struct Answer {
  int status = 0;
  Headers headers;
  std::vector<std::byte> body;

  bool ok() const { return status >= 200 && status < 300; }
  std::string_view text() const { return {reinterpret_cast<const char*>(body.data()), body.size()}; }
};

struct Limits {
  std::chrono::milliseconds connect{10'000};  // TCP and TLS
  // Without a byte in either direction, those included that the kernel still sends. After the content a second more for
  // each 16 MiB of it, up to late_answer: it has to be stored.
  std::chrono::milliseconds no_progress{5'000};
  std::chrono::milliseconds late_answer{30'000};  // the same where the answer comes late; not below no_progress
  std::chrono::milliseconds total{0};             // of one request; zero: any
};

struct ClientOptions {
  Limits limits = {};
  Proxies proxies = Proxies::as_environment;
  Verification verification = Verification::full;
  std::string ca_file = {};  // see Surroundings
  // Told of the bytes of contents, of the fields and bodies of answers, as they leave or come; from any thread. May be
  // empty.
  std::function<void(std::uint64_t bytes)> on_moved = {};
};

// Thread-safe. Each request runs in its caller's thread, on the connection that was used last if there is an idle one
// to that host; so there are at most as many connections as there were requests at a time. HTTP/2 where a TLS server
// offers it. DNS answers and TLS sessions are shared. Nothing is started before the first request.
class Client {
 public:
  explicit Client(ClientOptions options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Sends it once and takes the whole answer; redirects are not followed. An answer with any status is success. A
  // connection that fails, a limit that is up, and a body that ends before its announced end are unavailable; a server
  // whose certificate is not trusted is denied; a file that shrank meanwhile is invalid; the token, which works at
  // once, is cancelled. Messages name method, host and path, never the query, userinfo or a header.
  Result<Answer> send(const Request& request, std::stop_token stop);

 private:
  class Line;
  class Shared;

  Result<std::unique_ptr<Line>> take_line();

  const ClientOptions options_;
  std::unique_ptr<Shared> shared_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Line>> idle_;  // the last one was used last
};

// What an answer that is no success makes of a request, where the protocol has no error codes of its own: 401 and 403
// denied; 404 and 410 not_found; 409 and 412 conflict; 408, 425, 429 and 5xx unavailable, but 501 and 505, which are
// invalid as everything else is.
ErrorKind kind_of_status(int status);

}  // namespace hearth::http
