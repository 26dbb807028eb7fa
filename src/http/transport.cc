#include "http/transport.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "util/lazy_library.h"

namespace hearth::http {
namespace {

Result<void> start_libcurl() {
  TRY(util::load_libcurl());
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  return {};
}

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

void choose_proxies(CURL* easy, Proxies proxies) {
  if (proxies == Proxies::none) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
}

// libcurl reads the variables itself, but not this one.
void choose_http_proxy(CURL* easy, std::string_view url) {
  const bool ours =
      has_scheme(url, "http") && variable("http_proxy") == nullptr && variable("REQUEST_METHOD") == nullptr;
  curl_easy_setopt(easy, CURLOPT_PROXY, ours ? variable("HTTP_PROXY") : nullptr);
}

// The command-line tool reads these; the library does not.
void choose_certificates(CURL* easy, const std::string& ca_file) {
  if (const char* directory = variable("SSL_CERT_DIR")) curl_easy_setopt(easy, CURLOPT_CAPATH, directory);
  const char* file = variable("SSL_CERT_FILE");
  if (file == nullptr) file = variable("CURL_CA_BUNDLE");
  if (!ca_file.empty()) file = ca_file.c_str();
  if (file != nullptr) curl_easy_setopt(easy, CURLOPT_CAINFO, file);
}

}  // namespace

Result<Easy> new_easy() {
  TRY(start_libcurl());
  Easy easy(curl_easy_init());
  if (!easy) return fail(ErrorKind::io, "libcurl could not be started");
  return easy;
}

void configure(CURL* easy, const std::string& url, const Surroundings& surroundings) {
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Whoever cancels does not wait for a resolver that hangs.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 0L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "hearth");
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(surroundings.connect.count()));
  choose_proxies(easy, surroundings.proxies);
  choose_http_proxy(easy, url);
  choose_certificates(easy, surroundings.ca_file);
  if (surroundings.verification == Verification::none) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

Error transport_error(CURLcode code, std::string_view detail) {
  const std::string text(detail.empty() ? std::string_view(curl_easy_strerror(code)) : detail);
  // libcurl quotes the proxy here, with its password.
  if (text.starts_with("Unsupported proxy")) {
    return {ErrorKind::invalid, "the proxy that the environment names cannot be used"};
  }
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {ErrorKind::invalid, "not an http or https URL"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorKind::denied, text};
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorKind::unavailable, fmt::format("no progress: {}", text)};
    default:
      return {ErrorKind::unavailable, text};
  }
}

std::string shown(std::string_view url) {
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  const auto scheme = path.find("://");
  if (scheme == std::string_view::npos) return std::string(path);
  const std::string_view rest = path.substr(scheme + 3);
  const auto at = rest.substr(0, rest.find('/')).rfind('@');
  if (at == std::string_view::npos) return std::string(path);
  return fmt::format("{}***{}", path.substr(0, scheme + 3), rest.substr(at));
}

bool has_scheme(std::string_view url, std::string_view scheme) {
  return url.size() > scheme.size() && url.substr(scheme.size()).starts_with("://") &&
         std::ranges::equal(url.substr(0, scheme.size()), scheme, [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace hearth::http
