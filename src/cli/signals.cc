#include "cli/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

#include "util/file.h"

namespace hearth::cli {

namespace {

constexpr std::array kStopping = {SIGINT, SIGTERM, SIGHUP};

// What a signal handler may touch: a lock-free number and a pipe's end.
std::atomic<int> first_signal = 0;
std::atomic<int> wake_fd = -1;
std::atomic<bool> ctrl_c_is_left = false;

void on_signal(int signal, siginfo_t* info, void* /*context*/) {
  // Of a terminal's driver, and of no process.
  if (signal == SIGINT && info->si_code == SI_KERNEL && ctrl_c_is_left) return;
  const int saved_errno = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
  const char byte = 's';
  std::ignore = ::write(wake_fd, &byte, 1);
  errno = saved_errno;
}

void on_sigpipe(int /*signal*/) {}

void set_action(int signal, const struct sigaction& action) {
  struct sigaction before{};
  if (::sigaction(signal, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;
  ::sigaction(signal, &action, nullptr);
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  set_action(signal, action);
}

void catch_stopping() {
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  for (const int signal : kStopping) set_action(signal, action);
}

}  // namespace

struct Signals::State {
  util::Fd reader;
  util::Fd writer;
  std::stop_source source;
  std::thread waiter;
};

Result<Signals> Signals::install() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "making the signal pipe");
  auto state = std::make_unique<State>();
  state->reader = util::Fd(ends[0]);
  state->writer = util::Fd(ends[1]);
  wake_fd = ends[1];
  catch_stopping();
  set_handler(SIGPIPE, on_sigpipe);
  state->waiter = std::thread([fd = ends[0], source = state->source]() mutable {
    std::array<std::byte, 1> byte{};
    // 's' is a signal, 'q' the destructor; a stop request is wanted for the first only.
    if (util::read_full(fd, byte).value_or(0) == 1 && byte[0] == std::byte{'s'}) source.request_stop();
  });
  return Signals(std::move(state));
}

Signals::Signals(std::unique_ptr<State> state) : state_(std::move(state)) {}
Signals::Signals(Signals&&) noexcept = default;

Signals::~Signals() {
  if (!state_) return;
  for (const int signal : kStopping) set_handler(signal, SIG_DFL);
  std::ignore = util::write_full(state_->writer.get(), "q");
  state_->waiter.join();
  wake_fd = -1;
}

std::stop_token Signals::token() const {
  return state_->source.get_token();
}

int Signals::received() const {
  return first_signal;
}

void Signals::leave_ctrl_c() {
  ctrl_c_is_left = true;
}

}  // namespace hearth::cli
