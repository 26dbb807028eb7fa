#include "http/client.h"

#include <curl/curl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/select.h>

#include <array>
#include <optional>
#include <utility>

#include "http/exchange.h"

namespace hearth::http {
namespace {

// Looked at this often at least, whatever happens.
constexpr std::chrono::milliseconds kLongestWait{1'000};

// What the kernel holds for the only transfer of this handle, and the other side has not acknowledged; absent where
// that cannot be told. (CURLINFO_ACTIVESOCKET knows the socket of a transfer that has ended.)
std::optional<std::uint64_t> unsent(CURLM* multi) {
  fd_set reading;
  fd_set writing;
  fd_set failing;
  FD_ZERO(&reading);
  FD_ZERO(&writing);
  FD_ZERO(&failing);
  int socket = -1;
  int bytes = 0;
  if (curl_multi_fdset(multi, &reading, &writing, &failing, &socket) != CURLM_OK || socket < 0) return std::nullopt;
  if (::ioctl(socket, SIOCOUTQ, &bytes) != 0 || bytes < 0) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

// What all lines of a client know together.
class Client::Shared {
 public:
  Shared() : share_(curl_share_init()) {
    curl_share_setopt(share_, CURLSHOPT_USERDATA, this);
    curl_share_setopt(share_, CURLSHOPT_LOCKFUNC, lock);
    curl_share_setopt(share_, CURLSHOPT_UNLOCKFUNC, unlock);
    curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { curl_share_cleanup(share_); }
  CURLSH* get() const { return share_; }

 private:
  static void lock(CURL*, curl_lock_data data, curl_lock_access, void* context) {
    static_cast<Shared*>(context)->mutexes_[data].lock();
  }
  static void unlock(CURL*, curl_lock_data data, void* context) {
    static_cast<Shared*>(context)->mutexes_[data].unlock();
  }

  CURLSH* share_;
  std::array<std::mutex, CURL_LOCK_DATA_LAST> mutexes_;
};

// One request at a time, and the connections that earlier ones left behind. A handle of libcurl's multi interface,
// since only that can be woken from another thread.
class Client::Line {
 public:
  explicit Line(Easy easy) : multi_(curl_multi_init()), easy_(std::move(easy)) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    easy_.reset();
    curl_multi_cleanup(multi_);
  }

  Result<Answer> perform(Exchange& exchange, CURLSH* share, const std::stop_token& stop) {
    curl_easy_reset(easy_.get());
    curl_easy_setopt(easy_.get(), CURLOPT_SHARE, share);
    exchange.prepare(easy_.get());
    curl_multi_add_handle(multi_, easy_.get());
    const Result<CURLcode> code = run(exchange, stop);
    Result<Answer> answer = code ? exchange.finish(*code) : Result<Answer>(std::unexpected(code.error()));
    curl_multi_remove_handle(multi_, easy_.get());
    return answer;
  }

 private:
  Result<CURLcode> run(Exchange& exchange, const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    while (true) {
      int running = 0;
      if (const CURLMcode code = curl_multi_perform(multi_, &running); code != CURLM_OK) {
        return fail(ErrorKind::io, "libcurl: {}", curl_multi_strerror(code));
      }
      if (running == 0) return result();
      if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the request was stopped");
      if (const auto bytes = exchange.is_sending() ? unsent(multi_) : std::nullopt) exchange.look_at_unsent(*bytes);
      const auto left = exchange.time_left();
      if (left.count() == 0) return fail(ErrorKind::unavailable, "the server made no progress in time");
      const auto wait = static_cast<int>(std::min(left, kLongestWait).count());
      curl_multi_poll(multi_, nullptr, 0, wait, nullptr);
    }
  }

  CURLcode result() {
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi_, &left);
    return message != nullptr ? message->data.result : CURLE_FAILED_INIT;
  }

  CURLM* multi_;
  Easy easy_;
};

Client::Client(ClientOptions options) : options_(std::move(options)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client::Line>> Client::take_line() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto line = std::move(idle_.back());
      idle_.pop_back();
      return line;
    }
  }
  Easy easy = TRY(new_easy());
  const std::lock_guard lock(mutex_);
  if (!shared_) shared_ = std::make_unique<Shared>();
  return std::make_unique<Line>(std::move(easy));
}

Result<Answer> Client::send(const Request& request, std::stop_token stop) {
  if (stop.stop_requested())
    return fail(ErrorKind::cancelled, "stopped before {} {}", request.method, shown(request.url));
  std::unique_ptr<Line> line = TRY(take_line());
  Exchange exchange(request, options_);
  auto answer = line->perform(exchange, shared_->get(), stop);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(line));
  return within(fmt::format("{} {}", request.method, shown(request.url)), std::move(answer));
}

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return ErrorKind::denied;
    case 404:
    case 410:
      return ErrorKind::not_found;
    case 409:
    case 412:
      return ErrorKind::conflict;
    case 408:
    case 425:
    case 429:
      return ErrorKind::unavailable;
    case 501:
    case 505:
      return ErrorKind::invalid;
    default:
      return status >= 500 ? ErrorKind::unavailable : ErrorKind::invalid;
  }
}

}  // namespace hearth::http
