// A container in memory behind HTTP, with the faults that a test asks for.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "store/azure/azure_store.h"
#include "support/http_double.h"
#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::azure {

class FakeAzure {
 public:
  using Hook = std::function<std::optional<support::Reply>(const support::SeenRequest&)>;

  FakeAzure() : server_([this](const support::SeenRequest& request) { return answer(request); }) {}

  // Asked first, for each request; what it returns is the answer. Runs without the lock.
  void before(Hook hook) { hook_ = std::move(hook); }

  AzureOptions options() const {
    AzureOptions options;
    options.container = "box";
    options.prefix = "pre/";
    options.shown = "azblob://box/pre";
    options.account = "acc";
    options.endpoint = server_.origin();
    return options;
  }

  static std::vector<CredentialProvider> with(Credentials credentials) {
    return {{"the test",
             [credentials](const std::stop_token&) -> Result<std::optional<Credentials>> { return credentials; }}};
  }

  AzureStore store() const { return {options(), with({AccountKey{"hidden-key"}})}; }
  const support::HttpDouble& server() const { return server_; }

  // By the path and query of its URL behind the container.
  std::string content(const std::string& target) {
    const std::lock_guard lock(mutex_);
    return blobs_[target].text;
  }
  void set(const std::string& target, const std::string& text) {
    const std::lock_guard lock(mutex_);
    write(target, text);
  }

  static support::Reply error(int status, const std::string& code, const std::string& more = "") {
    return support::reply(status, fmt::format("<Error><Code>{}</Code><Message>m</Message></Error>", code),
                          fmt::format("x-ms-error-code: {}\r\nx-ms-request-id: id-7\r\n{}", code, more));
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
  struct Blob {
    std::string text;
    int writes = 0;
  };

  bool is_damaged(const support::SeenRequest& request) const {
    util::Md5 md5;
    md5.update(std::as_bytes(std::span(request.body)));
    const std::string told = request.header("content-md5");
    return looks_at_md5_ && !told.empty() && told != util::to_base64(md5.finish());
  }
  static std::string head_of(const Blob& blob) {
    return fmt::format(
        "ETag: \"0x{}\"\r\nLast-Modified: Sat, 01 Jun 2024 10:00:00 GMT\r\nDate: Sat, 01 Jun 2024 10:00:01 GMT\r\n",
        blob.writes);
  }

  Blob& write(const std::string& target, const std::string& text) { return blobs_[target] = {text, ++writes_}; }

  support::Reply put(const support::SeenRequest& request, const std::string& name) {
    if (is_damaged(request)) return error(400, "Md5Mismatch");
    const auto there = blobs_.find(name);
    if (request.headers.contains("if-none-match") && there != blobs_.end()) return error(409, "BlobAlreadyExists");
    const std::string wanted = request.header("if-match");
    if (!wanted.empty() && (there == blobs_.end() || wanted != fmt::format("\"0x{}\"", there->second.writes))) {
      return error(412, "ConditionNotMet");
    }
    return support::reply(201, "", head_of(write(name, request.body)));
  }

  support::Reply answer(const support::SeenRequest& request) {
    if (hook_) {
      if (auto reply = hook_(request)) return *std::move(reply);
    }
    const std::lock_guard lock(mutex_);
    const std::string name = request.target.substr(std::min(std::string("/box/").size(), request.target.size()));
    if (request.method == "PUT") return put(request, name);
    const auto found = blobs_.find(name);
    if (found == blobs_.end()) return error(404, "BlobNotFound");
    if (request.method == "DELETE") {
      blobs_.erase(found);
      return support::reply(202);
    }
    if (request.method == "GET") return support::reply(200, found->second.text, head_of(found->second));
    return {fmt::format("HTTP/1.1 200 X\r\n{}Content-Length: {}\r\n\r\n", head_of(found->second),
                        found->second.text.size()),
            support::Then::keep};
  }

  Hook hook_;
  std::atomic<bool> looks_at_md5_ = true;
  std::mutex mutex_;
  std::map<std::string, Blob> blobs_;
  int writes_ = 0;
  support::HttpDouble server_;
};

}  // namespace hearth::store::azure
