// A bucket in memory behind HTTP, with the habits and faults of servers that a test asks for.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/s3/s3_store.h"
#include "support/http_double.h"
#include "util/hash.h"
#include "util/mac.h"

namespace hearth::store::s3 {

enum class Conditions { quoted, unquoted, ignored, not_implemented };

class FakeS3 {
 public:
  explicit FakeS3(Conditions conditions = Conditions::quoted)
      : conditions_(conditions), server_([this](const support::SeenRequest& request) { return answer(request); }) {}

  // Asked first, for each request; what it returns is the answer. Runs without the lock.
  void before(std::function<std::optional<support::Reply>(const support::SeenRequest&)> hook) {
    hook_ = std::move(hook);
  }

  S3Options options() const {
    S3Options options;
    options.bucket = "bucket";
    options.prefix = "pre/";
    options.shown = "s3://bucket/pre";
    options.region = "us-east-1";
    options.endpoint = server_.origin();
    options.addressing = Addressing::path;
    return options;
  }

  static std::vector<CredentialProvider> keys() {
    return {{"the test", [](const std::stop_token&) -> Result<std::optional<Credentials>> {
               return Credentials{"ACCESS", "hidden-secret", "hidden-token", std::nullopt};
             }}};
  }

  S3Store store() const { return {options(), keys()}; }
  const support::HttpDouble& server() const { return server_; }

  std::string content(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return objects_[name];
  }
  void set(const std::string& name, const std::string& text) {
    const std::lock_guard lock(mutex_);
    objects_[name] = text;
  }

  static support::Reply error(int status, const std::string& code, const std::string& more = "") {
    return support::reply(status,
                          fmt::format("<Error><Code>{}</Code><RequestId>id-7</RequestId>{}</Error>", code, more));
  }

  // It takes any content from now on.
  void ignore_md5() { looks_at_md5_ = false; }

  // The methods of the requests so far: "PUT PUT HEAD".
  std::string methods() const {
    std::string text;
    for (const auto& request : server_.requests()) text += (text.empty() ? "" : " ") + request.method;
    return text;
  }

 private:
  static std::string etag(const std::string& text) { return util::sha256(text).hex().substr(0, 32); }
  bool is_damaged(const support::SeenRequest& request) const {
    util::Md5 md5;
    md5.update(std::as_bytes(std::span(request.body)));
    const std::string told = request.header("content-md5");
    return looks_at_md5_ && !told.empty() && told != util::to_base64(md5.finish());
  }
  static std::string head_of(const std::string& text) {
    return fmt::format(
        "ETag: \"{}\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\nDate: Sat, 01 Jun 2024 10:00:01 GMT\r\n",
        etag(text));
  }

  bool holds(const support::SeenRequest& request, const std::string& name) const {
    const bool there = objects_.contains(name);
    if (request.headers.contains("if-none-match")) return !there;
    const std::string wanted = request.header("if-match");
    if (wanted.empty()) return true;
    const std::string is = there ? etag(objects_.at(name)) : "";
    return there && wanted == (conditions_ == Conditions::quoted ? "\"" + is + "\"" : is);
  }

  support::Reply answer(const support::SeenRequest& request) {
    if (hook_) {
      if (auto reply = hook_(request)) return *std::move(reply);
    }
    const std::lock_guard lock(mutex_);
    const std::string name = request.target.substr(std::string("/bucket/").size());
    if (request.method == "PUT") {
      if (is_damaged(request)) return error(400, "BadDigest");
      const bool conditional = request.headers.contains("if-match") || request.headers.contains("if-none-match");
      if (conditional && conditions_ == Conditions::not_implemented) return error(501, "NotImplemented");
      if (conditions_ != Conditions::ignored && !holds(request, name)) return error(412, "PreconditionFailed");
      objects_[name] = request.body;
      return support::reply(200, "", head_of(request.body));
    }
    const auto found = objects_.find(name);
    if (request.method == "DELETE") {
      if (found != objects_.end()) objects_.erase(found);
      return {"HTTP/1.1 204 X\r\n\r\n", support::Then::keep};
    }
    if (found == objects_.end()) return error(404, "NoSuchKey");
    if (request.method == "GET") return support::reply(200, found->second, head_of(found->second));
    return {fmt::format("HTTP/1.1 200 X\r\n{}Content-Length: {}\r\n\r\n", head_of(found->second), found->second.size()),
            support::Then::keep};
  }

  const Conditions conditions_;
  std::function<std::optional<support::Reply>(const support::SeenRequest&)> hook_;
  std::atomic<bool> looks_at_md5_ = true;
  std::mutex mutex_;
  std::map<std::string, std::string> objects_;
  support::HttpDouble server_;
};

}  // namespace hearth::store::s3
