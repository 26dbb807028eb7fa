// Requests to one account of Swift, each with a token that is asked for when there is none, or none that is valid.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "http/client.h"
#include "store/credential_chain.h"
#include "store/swift/documents.h"
#include "store/swift/identity.h"
#include "store/swift/options.h"
#include "util/error.h"

namespace hearth::store::swift {

inline constexpr int kNotFound = 404;

// A request as Swift sees it, before it is addressed.
struct Call {
  enum class Of { object, container, account };

  std::string method = "GET";
  Of of = Of::object;
  std::string object = {};  // name in the container, as it is meant
  std::string query = {};   // encoded, without '?'
  http::Headers headers = {};
  http::Content content = {};
  std::uint64_t answer_limit = std::uint64_t{16} << 20;
  http::Answering answering = http::Answering::at_once;
  http::DeadConnection dead_connection = http::DeadConnection::send_again;
};

// Thread-safe.
class Requests {
 public:
  explicit Requests(const SwiftOptions& options);

  // The answer, whatever its status. At the first 401 the token is asked for anew, and the request sent once more.
  Result<http::Answer> send(const Call& call, const std::stop_token& stop);

  // The same; an answer that is none of 2xx is the error it stands for, named after `operation`. What is not found may
  // be the container (see explain).
  Result<http::Answer> demand(const Call& call, std::string_view operation, const std::stop_token& stop);

  // The error of an answer that is none of 2xx. Swift answers to an absent object as to an absent container: so unless
  // the container has been seen by now, it is looked for. One that is absent is invalid.
  Error explain(const http::Answer& answer, std::string_view operation, const std::stop_token& stop);

  // What the server says at /info, asked once; a server that does not tell has the defaults.
  Result<Capabilities> capabilities(const std::stop_token& stop);

  // "/container/name", percent-encoded, as bulk deletion and URLs have it.
  std::string path_of(std::string_view object) const;

 private:
  http::Request addressed(const Call& call, const Session& session) const;

  const SwiftOptions options_;
  http::Client client_;
  ChainOf<Session> sessions_;
  std::atomic<bool> container_seen_ = false;
  std::mutex mutex_;
  std::optional<Capabilities> capabilities_;
};

}  // namespace hearth::store::swift
