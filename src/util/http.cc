// The only file of util that knows libcurl.
#include "util/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <mutex>
#include <span>

#include "util/file.h"
#include "util/lazy_library.h"

namespace hearth::util {
namespace {

constexpr long kMaxRedirects = 10;

Result<void> start_libcurl() {
  TRY(load_libcurl());
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  return {};
}

// Without userinfo, query and fragment: any of them may be a secret.
std::string shown(std::string_view url) {
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  const auto scheme = path.find("://");
  if (scheme == std::string_view::npos) return std::string(path);
  const std::string_view rest = path.substr(scheme + 3);
  const auto at = rest.substr(0, rest.find('/')).rfind('@');
  if (at == std::string_view::npos) return std::string(path);
  return fmt::format("{}***{}", path.substr(0, scheme + 3), rest.substr(at));
}

struct Transfer {
  Fd file;
  std::uint64_t limit = 0;
  std::uint64_t written = 0;
  std::stop_token stop;
  Result<void> failure = {};  // why a callback ended the transfer
};

std::size_t on_bytes(const char* bytes, std::size_t, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (count > transfer.limit - transfer.written) {
    transfer.failure = fail(ErrorKind::invalid, "it is larger than {} bytes", transfer.limit);
    return 0;
  }
  transfer.failure = write_full(transfer.file.get(), std::string_view(bytes, count));
  if (!transfer.failure) return 0;
  transfer.written += count;
  return count;
}

// libcurl calls it at least once a second, while it waits too.
int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (!transfer.stop.stop_requested()) return 0;
  transfer.failure = fail(ErrorKind::cancelled, "the download was stopped");
  return 1;
}

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

// Each redirect is followed by hand, since libcurl cannot refuse only those from https to http.
void configure(CURL* easy, Transfer& transfer, const DownloadLimits& limits) {
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FAILONERROR, 0L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "hearth");
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, static_cast<long>(limits.connect.count()));
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.no_progress.count()));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
  // The command-line tool reads these two; the library does not.
  if (const char* file = std::getenv("CURL_CA_BUNDLE")) curl_easy_setopt(easy, CURLOPT_CAINFO, file);
  if (const char* file = std::getenv("SSL_CERT_FILE")) curl_easy_setopt(easy, CURLOPT_CAINFO, file);
}

Result<void> check_status(long status) {
  if (status >= 200 && status < 300) return {};
  if (status == 404 || status == 410) return fail(ErrorKind::not_found, "the server answered {}", status);
  if (status == 401 || status == 403 || status == 407)
    return fail(ErrorKind::denied, "the server answered {}: it wants (other) credentials", status);
  if (status == 408 || status == 429 || status >= 500)
    return fail(ErrorKind::unavailable, "the server answered {}", status);
  return fail(ErrorKind::invalid, "the server answered {}", status);
}

Result<void> check_transport(CURLcode code, const Transfer& transfer, const char* detail) {
  if (code == CURLE_OK) return {};
  if (!transfer.failure) return transfer.failure;
  const std::string_view text = *detail != '\0' ? detail : curl_easy_strerror(code);
  switch (code) {
    case CURLE_FILESIZE_EXCEEDED:
      return fail(ErrorKind::invalid, "it is larger than {} bytes", transfer.limit);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return fail(ErrorKind::invalid, "not an http or https URL");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return fail(ErrorKind::denied, "{}", text);
    case CURLE_OPERATION_TIMEDOUT:
      return fail(ErrorKind::unavailable, "no progress: {}", text);
    default:
      return fail(ErrorKind::unavailable, "{}", text);
  }
}

// One request; the value is where a redirect leads, empty when the content has come.
Result<std::string> request(CURL* easy, const std::string& url, Transfer& transfer) {
  std::string detail(CURL_ERROR_SIZE, '\0');
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail.data());
  const CURLcode code = curl_easy_perform(easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  TRY(check_transport(code, transfer, detail.c_str()));
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  const char* location = nullptr;
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &location);
  if (status >= 300 && status < 400 && location != nullptr) return std::string(location);
  TRY(check_status(status));
  return std::string();
}

bool has_scheme(std::string_view url, std::string_view scheme) {
  return url.size() > scheme.size() && url.substr(scheme.size()).starts_with("://") &&
         std::ranges::equal(url.substr(0, scheme.size()), scheme, [](char a, char b) { return (a | 0x20) == b; });
}

Result<void> fetch(CURL* easy, const std::string& url, Transfer& transfer) {
  std::string at = url;
  for (long redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    if (!has_scheme(at, "https") && !has_scheme(at, "http"))
      return fail(ErrorKind::invalid, "not an http or https URL: {}", shown(at));
    const std::string next =
        TRY(redirects == 0 ? request(easy, at, transfer)
                           : within(fmt::format("redirected to {}", shown(at)), request(easy, at, transfer)));
    if (next.empty()) return {};
    if (has_scheme(at, "https") && !has_scheme(next, "https"))
      return fail(ErrorKind::denied, "redirected from https to {}", shown(next));
    // The body of the redirect itself is no content.
    if (ftruncate(transfer.file.get(), 0) != 0 || lseek(transfer.file.get(), 0, SEEK_SET) != 0)
      return fail_errno(errno, "truncating the download");
    transfer.written = 0;
    at = next;
  }
  return fail(ErrorKind::unavailable, "more than {} redirects", kMaxRedirects);
}

// Of the last answer; empty where it has none.
std::string header(CURL* easy, const char* name) {
  curl_header* found = nullptr;
  return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : std::string();
}

// RFC 9110 section 8.8.2.2: times have seconds, and content may change twice in one.
bool is_strong(const std::string& modified, const std::string& date) {
  constexpr std::time_t kSettled = 60;
  const std::time_t then = curl_getdate(modified.c_str(), nullptr);
  const std::time_t now = curl_getdate(date.c_str(), nullptr);
  return then != -1 && now != -1 && now - then >= kSettled;
}

}  // namespace

Result<void> download(const std::string& url, const std::filesystem::path& file, const DownloadLimits& limits,
                      std::stop_token stop) {
  TRY(start_libcurl());
  const Easy easy(curl_easy_init(), &curl_easy_cleanup);
  if (!easy) return fail(ErrorKind::io, "libcurl could not be started");
  Transfer transfer;
  transfer.file = TRY(open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
  transfer.limit = limits.bytes;
  transfer.stop = std::move(stop);
  configure(easy.get(), transfer, limits);
  auto result = fetch(easy.get(), url, transfer);
  if (!result) unlink(file.c_str());
  return within(fmt::format("downloading {}", shown(url)), std::move(result));
}

Result<std::string> validator(const std::string& url, const DownloadLimits& limits, std::stop_token stop) {
  TRY(start_libcurl());
  const Easy easy(curl_easy_init(), &curl_easy_cleanup);
  if (!easy) return fail(ErrorKind::io, "libcurl could not be started");
  Transfer transfer;
  transfer.file = Fd(::memfd_create("hearth", MFD_CLOEXEC));
  if (!transfer.file) return fail_errno(errno, "memfd_create");
  transfer.limit = limits.bytes;
  transfer.stop = std::move(stop);
  configure(easy.get(), transfer, limits);
  curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 1L);
  TRY(within(fmt::format("asking for {}", shown(url)), fetch(easy.get(), url, transfer)));
  std::string tag = header(easy.get(), "ETag");
  if (!tag.empty()) return tag;
  std::string modified = header(easy.get(), "Last-Modified");
  return is_strong(modified, header(easy.get(), "Date")) ? modified : std::string();
}

}  // namespace hearth::util
