// Downloads over http and https; proxies and CA bundles as the usual variables say (http/transport.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "util/error.h"

namespace hearth::http {

struct DownloadLimits {
  std::uint64_t bytes = std::uint64_t{5} << 30;
  std::chrono::seconds connect{30};
  std::chrono::seconds no_progress{60};
};

// GET into a new file at `file`. Redirects are followed within http and https only (at most 10, never from https to
// http). Status 404 and 410 are not_found, 401 and 403 denied, 408, 429, 5xx, refused and broken connections
// unavailable, too many bytes invalid. Messages name the URL without its userinfo and query.
Result<void> download(const std::string& url, const std::filesystem::path& file, const DownloadLimits& limits,
                      std::stop_token stop);

// What the server calls the content of this URL as it is now, from a HEAD request (RFC 9110 section 8.8): its ETag,
// quotes included, else its Last-Modified; empty where it names neither, or only a Last-Modified so recent that the
// content may change without it: less than a minute before the server's Date, or where there is no Date. Redirects,
// limits and errors as for download().
Result<std::string> validator(const std::string& url, const DownloadLimits& limits, std::stop_token stop);

}  // namespace hearth::http
