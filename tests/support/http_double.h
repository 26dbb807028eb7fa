// A server on 127.0.0.1 that answers as a test says, and misbehaves as a test says.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "util/file.h"

namespace hearth::support {

struct SeenRequest {
  std::string method;
  std::string target;                          // path and query
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // counts from 1

  std::string header(const std::string& name) const;  // "" if absent
};

// What happens on the connection after the bytes were sent.
enum class Then { keep, close, reset, stall };

struct Reply {
  std::string bytes;  // head and body as they go over the wire
  Then then = Then::keep;
};

// "HTTP/1.1 200 X", these header lines (each with its CRLF), the body and its Content-Length.
Reply reply(int status, std::string_view body = "", std::string_view headers = "");

// Each connection has a thread; the handler may be called from several. It ends, with all connections, by destruction.
class HttpDouble {
 public:
  using Handler = std::function<Reply(const SeenRequest& request)>;

  explicit HttpDouble(Handler handler);
  HttpDouble(const HttpDouble&) = delete;
  HttpDouble& operator=(const HttpDouble&) = delete;
  ~HttpDouble();

  std::string origin() const;  // "http://127.0.0.1:PORT"
  std::string host() const;    // "127.0.0.1:PORT"
  std::vector<SeenRequest> requests() const;
  int connections() const { return connections_; }

 private:
  void accept_all(const std::stop_token& stop);
  void serve(const util::Fd& connection, int number, const std::stop_token& stop);
  bool receive(const util::Fd& connection, std::string& buffer, const std::stop_token& stop) const;

  const Handler handler_;
  util::Fd listener_;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::vector<std::jthread> servers_;  // of the accepting thread
  std::jthread acceptor_;
};

}  // namespace hearth::support
