// Requests to one bucket, each with a token; a token that the server refuses is renewed.
#pragma once

#include <atomic>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "http/client.h"
#include "store/gcs/options.h"
#include "store/gcs/tokens.h"
#include "util/error.h"

namespace hearth::store::gcs {

using Query = std::vector<std::pair<std::string, std::string>>;

// What an answer 404 is about; to a request for an object it may be either.
enum class About { object, bucket };

struct Call {
  std::string method = "GET";
  std::string path;  // encoded
  Query query = {};
  http::Headers headers = {};
  http::Content content = {};
  std::uint64_t answer_limit = std::uint64_t{16} << 20;
  About about = About::object;
  http::Answering answering = http::Answering::at_once;
  http::DeadConnection dead_connection = http::DeadConnection::send_again;
};

// Thread-safe.
class Requests {
 public:
  Requests(const GcsOptions& options, std::vector<TokenProvider> providers);

  // The answer, whatever its status. After a 401 it is asked once more with a new token.
  Result<http::Answer> send(const Call& call, const std::stop_token& stop);

  // The same; an answer that is none of 2xx, nor of this other status, is the error that it stands for, named after
  // `operation`. Where a server's 404 does not say what is absent, the bucket is looked for.
  Result<http::Answer> demand(const Call& call, std::string_view operation, const std::stop_token& stop,
                              int other_status = 0);

  // To the URL of an upload that has begun. It is a capability by itself: no token goes there.
  Result<http::Answer> send_to_session(const std::string& url, http::Request request, const std::stop_token& stop);

  // The URL in the answer that begins an upload. Google's is a host of Google's over https; that of another server is
  // taken to be where that server is, since emulators do not know the name by which they are reached. unavailable if
  // there is none.
  Result<std::string> session_url(const http::Answer& answer) const;

  // Whether there is a bucket. denied: cannot be told.
  Result<bool> has_bucket(const std::stop_token& stop);

  // "/storage/v1/b/BUCKET/o", and of one object in it; `name` is as it is meant, with the store's prefix.
  std::string objects_path() const;
  std::string object_path(const std::string& name) const;
  const std::string& bucket() const { return options_.bucket; }

 private:
  const GcsOptions options_;
  http::Client client_;
  TokenChain tokens_;
  std::atomic<bool> bucket_seen_ = false;
};

}  // namespace hearth::store::gcs
