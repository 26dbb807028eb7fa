// A server on 127.0.0.1 that answers each path with fixed bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <string>
#include <thread>

#include "util/file.h"

namespace hearth::test {

class HttpServer {
 public:
  using Answers = std::map<std::string, std::string>;

  // The whole answer of each path, head and body as they go over the wire; an empty one never comes. Then the
  // connection is closed.
  explicit HttpServer(Answers answers) : answers_(std::move(answers)) {
    listener_ = util::Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length);
    listen(listener_.get(), 16);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }

  std::string url(const std::string& path) const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }

  static std::string ok(const std::string& body) {
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  }
  static std::string status(int code, const std::string& headers = "") {
    return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: 4\r\n\r\nbody", code, headers);
  }

 private:
  bool readable(int fd, const std::stop_token& stop) const {
    while (!stop.stop_requested()) {
      pollfd one = {fd, POLLIN, 0};
      if (poll(&one, 1, 20) > 0) return true;
    }
    return false;
  }

  void serve(const std::stop_token& stop) {
    while (readable(listener_.get(), stop)) {
      util::Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string request;
      while (!request.contains("\r\n\r\n") && readable(connection.get(), stop)) {
        std::array<char, 4096> buffer = {};
        const ssize_t count = recv(connection.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0) break;
        request.append(buffer.data(), static_cast<std::size_t>(count));
      }
      const auto start = request.find(' ') + 1;
      const std::string path = request.substr(start, request.find(' ', start) - start);
      const auto found = answers_.find(path);
      const std::string answer = found == answers_.end() ? status(404) : found->second;
      if (answer.empty()) {
        stalled_.push_back(std::move(connection));
        continue;
      }
      send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  Answers answers_;
  util::Fd listener_;
  int port_ = 0;
  std::vector<util::Fd> stalled_;
  std::jthread thread_;
};

}  // namespace hearth::test
