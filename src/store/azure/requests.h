// Authorized requests to one container.
#pragma once

#include <chrono>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "http/client.h"
#include "store/azure/credentials.h"
#include "store/azure/options.h"
#include "store/azure/shared_key.h"
#include "util/error.h"

namespace hearth::store::azure {

// A request as the service sees it, before it is addressed and authorized.
struct Call {
  std::string method = "GET";
  std::string blob = {};  // its name (names.h); empty: the container itself
  Query query = {};
  http::Headers headers = {};
  http::Content content = {};
  std::uint64_t answer_limit = std::uint64_t{16} << 20;
  http::Answering answering = http::Answering::at_once;
  http::DeadConnection dead_connection = http::DeadConnection::send_again;
};

// Thread-safe.
class Requests {
 public:
  Requests(const AzureOptions& options, std::vector<CredentialProvider> providers)
      : options_(options),
        client_(options.http),
        credentials_("Azure", std::move(providers), std::chrono::system_clock::now) {}

  // The answer, whatever its status. Where the server refuses a token as expired, or a signature because our clock is
  // wrong, that is put right and the request sent again, once. A token is never sent without TLS to another machine:
  // denied.
  Result<http::Answer> send(const Call& call, const std::stop_token& stop);

  // The same; an answer that is none of 2xx is the error it stands for, named after `operation`.
  Result<http::Answer> demand(const Call& call, std::string_view operation, const std::stop_token& stop);

 private:
  Result<http::Request> authorized(const Call& call, const Credentials& credentials,
                                   std::chrono::sys_seconds time) const;
  std::chrono::sys_seconds server_time() const;
  // Whether something was put right, so that the request may succeed now.
  bool put_right(const http::Answer& answer, const Credentials& credentials, std::chrono::sys_seconds sent);

  const AzureOptions options_;
  http::Client client_;
  ChainOf<Credentials> credentials_;
  mutable std::mutex mutex_;
  std::chrono::seconds clock_offset_{0};  // of the server's clock, from ours
};

}  // namespace hearth::store::azure
