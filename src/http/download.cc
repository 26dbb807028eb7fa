#include "http/download.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <span>

#include "http/headers.h"
#include "http/transport.h"
#include "util/file.h"

namespace hearth::http {
namespace {

constexpr long kMaxRedirects = 10;

struct Transfer {
  util::Fd file;
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
  transfer.failure = util::write_full(transfer.file.get(), std::string_view(bytes, count));
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

// Each redirect is followed by hand, since libcurl cannot refuse only those from https to http.
void prepare(CURL* easy, const std::string& url, Transfer& transfer, const DownloadLimits& limits) {
  configure(easy, url,
            {.proxies = Proxies::as_environment,
             .verification = Verification::full,
             .ca_file = {},
             .connect = limits.connect});
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.no_progress.count()));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
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
  if (code == CURLE_FILESIZE_EXCEEDED) return fail(ErrorKind::invalid, "it is larger than {} bytes", transfer.limit);
  return std::unexpected(transport_error(code, detail));
}

// One request; the value is where a redirect leads, empty when the content has come.
Result<std::string> request(CURL* easy, const std::string& url, Transfer& transfer, const DownloadLimits& limits) {
  std::string detail(CURL_ERROR_SIZE, '\0');
  prepare(easy, url, transfer, limits);
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

Result<void> fetch(CURL* easy, const std::string& url, Transfer& transfer, const DownloadLimits& limits) {
  std::string at = url;
  for (long redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    if (!has_scheme(at, "https") && !has_scheme(at, "http"))
      return fail(ErrorKind::invalid, "not an http or https URL: {}", shown(at));
    const std::string next =
        TRY(redirects == 0 ? request(easy, at, transfer, limits)
                           : within(fmt::format("redirected to {}", shown(at)), request(easy, at, transfer, limits)));
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
  constexpr std::chrono::seconds kSettled{60};
  const auto then = parse_date(modified);
  const auto now = parse_date(date);
  return then && now && *now - *then >= kSettled;
}

}  // namespace

Result<void> download(const std::string& url, const std::filesystem::path& file, const DownloadLimits& limits,
                      std::stop_token stop) {
  const Easy easy = TRY(new_easy());
  Transfer transfer;
  transfer.file = TRY(util::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
  transfer.limit = limits.bytes;
  transfer.stop = std::move(stop);
  auto result = fetch(easy.get(), url, transfer, limits);
  if (!result) unlink(file.c_str());
  return within(fmt::format("downloading {}", shown(url)), std::move(result));
}

Result<std::string> validator(const std::string& url, const DownloadLimits& limits, std::stop_token stop) {
  const Easy easy = TRY(new_easy());
  Transfer transfer;
  transfer.file = util::Fd(::memfd_create("hearth", MFD_CLOEXEC));
  if (!transfer.file) return fail_errno(errno, "memfd_create");
  transfer.limit = limits.bytes;
  transfer.stop = std::move(stop);
  curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 1L);
  TRY(within(fmt::format("asking for {}", shown(url)), fetch(easy.get(), url, transfer, limits)));
  std::string tag = header(easy.get(), "ETag");
  if (!tag.empty()) return tag;
  std::string modified = header(easy.get(), "Last-Modified");
  return is_strong(modified, header(easy.get(), "Date")) ? modified : std::string();
}

}  // namespace hearth::http
