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

  // Content that was given out begins to wait in the socket.
  bool is_sending() const { return given_ > 0; }

  // Told of the bytes that the kernel has of this request, and the other side has not acknowledged: what changes them
  // is movement, also when all content was given out long ago.
  void look_at_unsent(std::uint64_t bytes);

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
  void count_left(std::uint64_t bytes);
  std::uint64_t content_length() const;
  std::chrono::milliseconds patience() const;
  void prepare_content();

  const Request& request_;
  const ClientOptions& options_;
  CURL* easy_ = nullptr;
  curl_slist* header_list_ = nullptr;
  std::uint64_t given_ = 0;   // of the content, to libcurl
  std::uint64_t unsent_ = 0;  // of that and of the header, as last seen
  std::uint64_t left_ = 0;    // of the content, on its way or there; what is sent again counts once
  Answer answer_;
  Result<void> failure_ = {};  // why a callback ended the transfer
  char detail_[CURL_ERROR_SIZE] = {};
  Clock::time_point began_ = Clock::now();
  Clock::time_point moved_at_ = began_;
};

}  // namespace hearth::http
