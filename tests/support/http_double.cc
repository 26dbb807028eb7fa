#include "support/http_double.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "util/text.h"

namespace hearth::support {
namespace {

bool readable(int fd, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd one = {fd, POLLIN, 0};
    if (::poll(&one, 1, 10) > 0) return true;
  }
  return false;
}

// An RST instead of a FIN.
void reset(int fd) {
  const linger hard = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

SeenRequest parse(std::string_view head) {
  SeenRequest request;
  const auto lines = util::split(head, '\n');
  const auto words = util::split(util::trim(lines.front()), ' ');
  request.method = words[0];
  if (words.size() > 1) request.target = words[1];
  for (const std::string_view line : std::span(lines).subspan(1)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string name(line.substr(0, colon));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    request.headers[name] = util::trim(line.substr(colon + 1));
  }
  return request;
}

}  // namespace

std::string SeenRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

Reply reply(int status, std::string_view body, std::string_view headers) {
  return {fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, headers, body.size(), body),
          Then::keep};
}

HttpDouble::HttpDouble(Handler handler)
    : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length);
  ::listen(listener_.get(), 64);
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

HttpDouble::~HttpDouble() {
  acceptor_.request_stop();
  acceptor_.join();
}

std::string HttpDouble::host() const {
  return fmt::format("127.0.0.1:{}", port_);
}

std::string HttpDouble::origin() const {
  return "http://" + host();
}

std::vector<SeenRequest> HttpDouble::requests() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void HttpDouble::accept_all(const std::stop_token& stop) {
  while (readable(listener_.get(), stop)) {
    util::Fd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    const int number = ++connections_;
    servers_.emplace_back([this, number, fd = std::move(connection), stop] { serve(fd, number, stop); });
  }
  servers_.clear();
}

bool HttpDouble::receive(const util::Fd& connection, std::string& buffer, const std::stop_token& stop) const {
  if (!readable(connection.get(), stop)) return false;
  std::array<char, 65536> piece = {};
  const ssize_t count = ::recv(connection.get(), piece.data(), piece.size(), 0);
  if (count <= 0) return false;
  buffer.append(piece.data(), static_cast<std::size_t>(count));
  return true;
}

void HttpDouble::serve(const util::Fd& connection, int number, const std::stop_token& stop) {
  std::string buffer;
  while (true) {
    while (!buffer.contains("\r\n\r\n")) {
      if (!receive(connection, buffer, stop)) return;
    }
    const std::size_t head = buffer.find("\r\n\r\n") + 4;
    SeenRequest request = parse(buffer.substr(0, head));
    request.connection = number;
    const std::string announced = request.header("content-length");
    const std::size_t length = announced.empty() ? 0 : std::stoul(announced);
    while (buffer.size() < head + length) {
      if (!receive(connection, buffer, stop)) return;
    }
    request.body = buffer.substr(head, length);
    buffer.erase(0, head + length);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    const Reply answer = handler_(request);
    std::string_view rest = answer.bytes;
    while (!rest.empty()) {
      const ssize_t sent = ::send(connection.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    if (answer.then == Then::keep) continue;
    if (answer.then == Then::reset) reset(connection.get());
    while (answer.then == Then::stall && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return;
  }
}

}  // namespace hearth::support
