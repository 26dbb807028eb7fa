// A container in memory behind HTTP, with the three ways of getting a token, and the faults that a test asks for.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/swift/swift_store.h"
#include "support/http_double.h"
#include "util/hash.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::swift {

inline std::string md5_of(const std::string& text) {
  util::Md5 md5;
  md5.update(std::as_bytes(std::span(text)));
  return util::to_hex(md5.finish());
}

class FakeSwift {
 public:
  FakeSwift() : server_([this](const support::SeenRequest& request) { return answer(request); }) {}

  // Asked first, for each request with a path of the container or account; what it returns is the answer. Runs without
  // the lock.
  void before(std::function<std::optional<support::Reply>(const support::SeenRequest&)> hook) {
    hook_ = std::move(hook);
  }
  // Asked instead of the v1 login.
  void login(std::function<support::Reply(const support::SeenRequest&)> hook) { login_ = std::move(hook); }

  SwiftOptions options() const {
    SwiftOptions options;
    options.container = "con tainer";
    options.prefix = "pre/";
    options.shown = "swift://con tainer/pre";
    options.login = {.version = AuthVersion::v1, .auth_url = server_.origin() + "/auth/v1.0"};
    options.login.user.name = "ann:ann";
    options.login.password = "hidden-password";
    return options;
  }

  SwiftStore store() const { return SwiftStore(options()); }
  const support::HttpDouble& server() const { return server_; }

  void set(const std::string& name, const std::string& text) {
    const std::lock_guard lock(mutex_);
    objects_[name] = text;
  }
  std::map<std::string, std::string> objects() {
    const std::lock_guard lock(mutex_);
    return objects_;
  }
  void set_info(std::string text) { info_ = std::move(text); }
  void set_container(bool there) { container_ = there; }
  // It takes any content from now on.
  void ignore_etag() { looks_at_etag_ = false; }
  // No token that was given out so far is valid any more.
  void revoke() { ++serial_; }
  std::string token() const { return fmt::format("hidden-token-{}", serial_.load()); }

  // Method and the path behind the container's or account's, without "/v1/AUTH_ann": "PUT /con%20tainer/pre/a".
  std::vector<std::string> seen() const {
    constexpr std::string_view kAccount = "/v1/AUTH_ann";
    std::vector<std::string> lines;
    for (const auto& request : server_.requests()) {
      const bool inside = request.target.starts_with(kAccount);
      lines.push_back(request.method + " " + (inside ? request.target.substr(kAccount.size()) : request.target));
    }
    return lines;
  }

 private:
  static std::string head_of(const std::string& text) {
    return fmt::format(
        "ETag: {}\r\nLast-Modified: Sat, 01 Jun 2024 10:00:02 GMT\r\nX-Timestamp: 1717236001.99999\r\n"
        "Date: Sat, 01 Jun 2024 10:00:01 GMT\r\n",
        md5_of(text));
  }

  // All of a manifest, in a row.
  static std::string etags_in(const std::string& manifest) {
    constexpr std::string_view kMember = "\"etag\":\"";
    std::string etags;
    for (std::size_t at = manifest.find(kMember); at != std::string::npos; at = manifest.find(kMember, at + 1)) {
      etags += manifest.substr(at + kMember.size(), 32);
    }
    return etags;
  }

  support::Reply answer(const support::SeenRequest& request) {
    if (request.target.starts_with("/auth")) return login_ ? login_(request) : v1(request);
    if (request.target == "/info") return info_.empty() ? support::reply(404) : support::reply(200, info_);
    if (hook_) {
      if (auto reply = hook_(request)) return *std::move(reply);
    }
    if (request.header("x-auth-token") != token()) return support::reply(401);
    return in_container(request);
  }

  support::Reply v1(const support::SeenRequest& request) const {
    if (request.header("x-auth-user") != "ann:ann" || request.header("x-auth-key") != "hidden-password") {
      return support::reply(401);
    }
    return support::reply(200, "",
                          fmt::format("X-Auth-Token: {}\r\nX-Storage-Url: {}/v1/AUTH_ann/\r\n"
                                      "X-Auth-Token-Expires: 86400\r\n",
                                      token(), server_.origin()));
  }

  support::Reply in_container(const support::SeenRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::string path = request.target.substr(0, request.target.find('?'));
    const std::string name = util::percent_decode(path).value().substr(std::string("/v1/AUTH_ann/con tainer").size());
    if (name.empty() && request.method == "PUT") container_ = true;
    if (!container_) return support::reply(404, request.method == "HEAD" ? "" : "<html>Not Found</html>");
    if (name.empty()) return container(request);
    return object(request, name.substr(1));
  }

  support::Reply container(const support::SeenRequest& request) {
    if (request.method == "HEAD") return {"HTTP/1.1 204 X\r\n\r\n", support::Then::keep};
    if (request.method == "PUT") return support::reply(201);
    std::string begin;
    std::string marker;
    const std::string query = request.target.substr(request.target.find('?') + 1);
    for (const std::string_view part : util::split(query, '&')) {
      const std::string value = util::percent_decode(part.substr(part.find('=') + 1)).value();
      if (part.starts_with("prefix=")) begin = value;
      if (part.starts_with("marker=")) marker = value;
    }
    std::string list;
    int count = 0;
    for (const auto& [name, text] : objects_) {
      if (!name.starts_with(begin) || name <= marker || count == 2) continue;  // two on a page
      ++count;
      list += fmt::format(
          "{}{{\"name\": \"{}\", \"bytes\": {}, \"hash\": \"{}\", \"last_modified\": \"2024-06-01T10:00:01.999990\"}}",
          list.empty() ? "" : ", ", name, text.size(), md5_of(text));
    }
    return support::reply(200, "[" + list + "]", "Date: Sat, 01 Jun 2024 10:00:01 GMT\r\n");
  }

  support::Reply object(const support::SeenRequest& request, const std::string& name) {
    const auto found = objects_.find(name);
    if (request.method == "PUT") {
      if (request.headers.contains("if-none-match") && found != objects_.end()) return support::reply(412);
      if (request.target.ends_with("?multipart-manifest=put")) {
        return support::reply(201, "", fmt::format("ETag: \"{}\"\r\n", md5_of(etags_in(request.body))));
      }
      if (looks_at_etag_ && request.header("etag") != md5_of(request.body)) return support::reply(422);
      objects_[name] = request.body;
      return support::reply(201, "", head_of(request.body));
    }
    if (found == objects_.end()) return {"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", support::Then::keep};
    if (request.method == "DELETE") {
      objects_.erase(found);
      return {"HTTP/1.1 204 X\r\n\r\n", support::Then::keep};
    }
    if (request.method == "GET") return support::reply(200, found->second, head_of(found->second));
    return {fmt::format("HTTP/1.1 200 X\r\n{}Content-Length: {}\r\n\r\n", head_of(found->second), found->second.size()),
            support::Then::keep};
  }

  std::function<std::optional<support::Reply>(const support::SeenRequest&)> hook_;
  std::function<support::Reply(const support::SeenRequest&)> login_;
  std::string info_;
  std::atomic<int> serial_ = 1;
  std::atomic<bool> container_ = true;
  std::atomic<bool> looks_at_etag_ = true;
  std::mutex mutex_;
  std::map<std::string, std::string> objects_;
  support::HttpDouble server_;
};

}  // namespace hearth::store::swift
