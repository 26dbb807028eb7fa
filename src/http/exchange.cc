#include "http/exchange.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "util/text.h"

namespace hearth::http {
namespace {

constexpr std::size_t kKeptOfErrors = std::size_t{1} << 20;
constexpr long kBuffer = 256 * 1024;
// Each of them is a step forward that can be seen, so they are small.
constexpr long kUploadBuffer = 64 * 1024;
// What a server announces is believed so far; more room is made as more comes.
constexpr std::uint64_t kMostReserved = std::uint64_t{64} << 20;
constexpr std::uint64_t kStoredPerMillisecond = 16 * 1024;

using Bytes = std::span<const std::byte>;

std::uint64_t length_of_form(std::monostate) {
  return 0;
}
std::uint64_t length_of_form(Bytes bytes) {
  return bytes.size();
}
std::uint64_t length_of_form(const FileRange& range) {
  return range.length;
}
std::uint64_t length_of_form(const Framed& framed) {
  const std::uint64_t inside = std::visit([](const auto& content) { return length_of_form(content); }, framed.content);
  return framed.before.size() + inside + framed.after.size();
}

// Copies content from `offset` on, which is not past its end, until `into` is full or a piece of it ends; how much.
Result<std::size_t> copy(std::monostate, std::uint64_t, std::span<std::byte>) {
  return std::size_t{0};
}

Result<std::size_t> copy(Bytes bytes, std::uint64_t offset, std::span<std::byte> into) {
  const Bytes rest = bytes.subspan(static_cast<std::size_t>(offset));
  const std::size_t length = std::min(rest.size(), into.size());
  if (length > 0) std::memcpy(into.data(), rest.data(), length);
  return length;
}

Result<std::size_t> copy(const FileRange& range, std::uint64_t offset, std::span<std::byte> into) {
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), range.length - offset)));
  const std::size_t got = TRY(util::read_at(range.file->get(), into, range.offset + offset));
  if (got != into.size()) return fail(ErrorKind::invalid, "the file became shorter while it was sent");
  return got;
}

Result<std::size_t> copy(const Framed& framed, std::uint64_t offset, std::span<std::byte> into) {
  if (offset < framed.before.size()) return copy(std::as_bytes(std::span(framed.before)), offset, into);
  offset -= framed.before.size();
  const std::uint64_t inside = std::visit([](const auto& content) { return length_of_form(content); }, framed.content);
  if (offset < inside)
    return std::visit([&](const auto& content) { return copy(content, offset, into); }, framed.content);
  return copy(std::as_bytes(std::span(framed.after)), offset - inside, into);
}

}  // namespace

std::uint64_t length_of(const Content& content) {
  return std::visit([](const auto& form) { return length_of_form(form); }, content);
}

std::uint64_t Exchange::content_length() const {
  return length_of(request_.content);
}

void Exchange::moved(std::uint64_t bytes) {
  moved_at_ = Clock::now();
  if (options_.on_moved && bytes > 0) options_.on_moved(bytes);
}

void Exchange::take_header(std::string_view line) {
  // A server that answers gets on, be it that it has no time.
  moved(line.size());
  // An interim answer, or that of a proxy, comes before the real one.
  if (line.starts_with("HTTP/")) answer_.headers.clear();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  answer_.headers.push_back({std::string(line.substr(0, colon)), std::string(util::trim(line.substr(colon + 1)))});
}

bool Exchange::take_body(std::string_view bytes) {
  moved(bytes.size());
  if (answer_.status == 0) {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    curl_off_t announced = 0;
    curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (announced > 0 && answer_.ok()) {
      answer_.body.reserve(std::min({static_cast<std::uint64_t>(announced), request_.answer_limit, kMostReserved}));
    }
  }
  auto added = std::as_bytes(std::span(bytes));
  if (!answer_.ok()) {
    added = added.first(std::min(added.size(), kKeptOfErrors - std::min(kKeptOfErrors, answer_.body.size())));
  } else if (added.size() > request_.answer_limit - answer_.body.size()) {
    failure_ = fail(ErrorKind::unavailable, "the answer has more than {} bytes", request_.answer_limit);
    return false;
  }
  answer_.body.insert(answer_.body.end(), added.begin(), added.end());
  return true;
}

std::size_t Exchange::give(std::span<std::byte> into) {
  const Result<std::size_t> length =
      std::visit([&](const auto& content) { return copy(content, given_, into); }, request_.content);
  if (!length) {
    failure_ = std::unexpected(length.error());
    return CURL_READFUNC_ABORT;
  }
  given_ += *length;
  if (*length > 0) moved(0);
  return *length;
}

void Exchange::count_left(std::uint64_t bytes) {
  if (bytes <= left_) return;
  moved(bytes - left_);
  left_ = bytes;
}

void Exchange::look_at_unsent(std::uint64_t bytes) {
  if (bytes != unsent_) moved(0);
  unsent_ = bytes;
  count_left(given_ - std::min(given_, unsent_));
}

std::size_t Exchange::on_header(const char* bytes, std::size_t, std::size_t count, void* context) {
  static_cast<Exchange*>(context)->take_header(util::trim(std::string_view(bytes, count)));
  return count;
}

std::size_t Exchange::on_body(const char* bytes, std::size_t, std::size_t count, void* context) {
  return static_cast<Exchange*>(context)->take_body(std::string_view(bytes, count)) ? count : 0;
}

std::size_t Exchange::on_read(char* into, std::size_t, std::size_t count, void* context) {
  return static_cast<Exchange*>(context)->give(std::as_writable_bytes(std::span(into, count)));
}

int Exchange::on_seek(void* context, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  auto& self = *static_cast<Exchange*>(context);
  const auto to = static_cast<std::uint64_t>(offset);
  if (to < self.given_ && self.request_.dead_connection == DeadConnection::fail) return CURL_SEEKFUNC_FAIL;
  self.given_ = to;
  return CURL_SEEKFUNC_OK;
}

void Exchange::prepare_content() {
  const bool carries = !std::holds_alternative<std::monostate>(request_.content);
  if (carries) {
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(content_length()));
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
    curl_easy_setopt(easy_, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy_, CURLOPT_SEEKDATA, this);
    // No round trip of its own before the content is sent.
    header_list_ = curl_slist_append(header_list_, "Expect:");
  }
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
}

void Exchange::prepare(CURL* easy) {
  easy_ = easy;
  configure(easy, request_.url,
            {.proxies = options_.proxies,
             .verification = options_.verification,
             .ca_file = options_.ca_file,
             .connect = options_.limits.connect});
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kBuffer);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  prepare_content();
  for (const Header& header : request_.headers) {
    // libcurl's way to send a field without a value.
    const std::string line =
        header.value.empty() ? header.name + ";" : fmt::format("{}: {}", header.name, header.value);
    header_list_ = curl_slist_append(header_list_, line.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_);
}

// How long it may take until the next byte moves.
std::chrono::milliseconds Exchange::patience() const {
  const Limits& limits = options_.limits;
  const std::uint64_t length = content_length();
  if (given_ < length) return limits.no_progress;
  const std::chrono::milliseconds storing(length / kStoredPerMillisecond);
  const bool late = request_.answering == Answering::late;
  const auto wanted = late ? limits.late_answer : std::min(limits.no_progress + storing, limits.late_answer);
  return std::max(limits.no_progress, wanted);
}

std::chrono::milliseconds Exchange::time_left() const {
  const auto now = Clock::now();
  auto left = moved_at_ + patience() - now;
  if (options_.limits.total.count() > 0) left = std::min(left, began_ + options_.limits.total - now);
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds(0));
}

Result<Answer> Exchange::finish(CURLcode code) {
  if (!failure_) return std::unexpected(failure_.error());
  if (code != CURLE_OK) return std::unexpected(transport_error(code, detail_));
  count_left(given_);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  answer_.status = static_cast<int>(status);
  return std::move(answer_);
}

}  // namespace hearth::http
