// Signed requests to one bucket: region, clock and credentials are put right where the server says that they are wrong.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "http/client.h"
#include "store/s3/credentials.h"
#include "store/s3/options.h"
#include "store/s3/sigv4.h"
#include "util/error.h"

namespace hearth::store::s3 {

// A request as S3 sees it, before it is addressed and signed.
struct Call {
  std::string method = "GET";
  std::string object = {};  // name in the bucket, as it is meant; empty: the bucket itself
  Query query = {};
  http::Headers headers = {};  // those of the operation
  http::Content content = {};
  std::string payload_hash = {};  // hexadecimal SHA-256 of the content; empty: of nothing
  std::uint64_t answer_limit = std::uint64_t{16} << 20;
  http::Answering answering = http::Answering::at_once;
  http::DeadConnection dead_connection = http::DeadConnection::send_again;
};

// Thread-safe.
class Requests {
 public:
  Requests(const S3Options& options, std::vector<CredentialProvider> providers);

  // The answer, whatever its status; one that asks for another region or endpoint, names an expired token, or finds
  // our clock wrong is followed or put right, at most three times in a row. No other failure is tried again. An answer
  // to HEAD names nothing: there a 403 from a server whose clock is another one, and the first 400 to a session token,
  // are taken for that.
  Result<http::Answer> send(const Call& call, const std::stop_token& stop);

  // The same; an answer that is none of 2xx is the error it stands for, named after `operation`.
  Result<http::Answer> demand(const Call& call, std::string_view operation, const std::stop_token& stop);

  // A URL that gives whoever has it this one object for a while.
  Result<std::string> presigned(const std::string& method, const std::string& object, std::chrono::seconds lifetime,
                                const std::stop_token& stop);

 private:
  // Where and when; changes as the server corrects it.
  struct Place {
    std::string region;
    std::string endpoint;
    std::chrono::seconds clock_offset{0};  // of the server's clock, from ours
  };
  // Where a request goes.
  struct Address {
    std::string origin;  // scheme://host[:port]
    std::string host;    // as in the Host field
    std::string path;    // encoded
  };

  Place place() const;
  Address address(const Place& place, const std::string& object) const;
  http::Request signed_request(const Call& call, const Place& place, const Credentials& credentials) const;
  // Whether something was put right, so that the request may succeed now.
  bool put_right(const http::Answer& answer, const Place& used, const Credentials& credentials);
  bool set_clock(const http::Answer& answer, const Place& used, std::chrono::seconds tolerated);
  bool move_to(const http::Answer& answer, const Place& used);

  const S3Options options_;
  http::Client client_;
  CredentialChain credentials_;
  mutable std::mutex mutex_;
  Place place_;
};

}  // namespace hearth::store::s3
