// One request and its answer, as libcurl's callbacks see them; for the files of this module.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <functional>
#include <optional>

#include "http/client.h"

namespace hearth::http {

class Exchange {
 public:
  Exchange(const Request& request, const ClientOptions& options) : request_(request), options_(options) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { curl_slist_free_all(header_list_); }

  // Sets everything on the handle, which must be new or reset, and refers to this object from then on.
  void prepare(CURL* easy);

  // Time without progress that is left, or of the whole; zero if a limit is up.
  std::chrono::milliseconds time_left() const;

  // The answer after libcurl's end of the transfer.
  Result<Answer> finish(CURLcode code);

 private:
  using Clock = std::chrono::steady_clock;

  static std::size_t on_header(const char* bytes, std::size_t, std::size_t count, void* context);
  static std::size_t on_body(const char* bytes, std::size_t, std::size_t count, void* context);
  static std::size_t on_read(char* into, std::size_t, std::size_t count, void* context);
  static int on_seek(void* context, curl_off_t offset, int origin);

  void take_header(std::string_view line);
  bool take_body(std::string_view bytes);
  std::size_t give(std::span<std::byte> into);
  void moved(std::uint64_t bytes);
  std::uint64_t content_length() const;
  std::chrono::milliseconds patience() const;
  void prepare_content();

  const Request& request_;
  const ClientOptions& options_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  std::uint64_t given_ = 0;  // of the content
  Answer answer_;
  Result<void> failure_ = {};  // why a callback ended the transfer
  char detail_[CURL_ERROR_SIZE] = {};
  Clock::time_point began_ = Clock::now();
  Clock::time_point moved_at_ = began_;
};

}  // namespace hearth::http
