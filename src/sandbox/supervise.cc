#include "sandbox/supervise.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

namespace hearth::sandbox {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadStep = std::size_t{64} << 10;
constexpr std::chrono::seconds kKillAgain{1};
// What a pipe can hold when its writers are dead; a writer outside of our reach must not keep us for ever.
constexpr std::size_t kDrainLimit = std::size_t{4} << 20;

// One pipe of output and where it goes.
class Stream {
 public:
  Stream(int fd, const Sink& sink) : fd_(fd), sink_(sink) {
    if (fd_ >= 0) ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  }

  int fd() const { return fd_; }

  // Passes one piece on; false when there is nothing (now, or any more).
  bool pass_on() {
    if (fd_ < 0) return false;
    const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
    if (count > 0) {
      if (sink_) sink_(std::string_view(buffer_.data(), static_cast<std::size_t>(count)));
      return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) fd_ = -1;
    return false;
  }

  void drain() {
    for (std::size_t pieces = 0; pieces < kDrainLimit / 4096 && pass_on(); ++pieces) {
    }
  }

 private:
  int fd_;
  const Sink& sink_;
  std::vector<char> buffer_ = std::vector<char>(kReadStep);
};

// Asks, waits for the grace, then kills.
class Ending {
 public:
  explicit Ending(const Supervision& supervision) : supervision_(supervision) {}

  void begin() {
    if (next_) return;
    supervision_.terminate();
    next_ = Clock::now() + supervision_.grace;
  }

  bool begun() const { return next_.has_value(); }

  void act_when_due() {
    if (!next_ || Clock::now() < *next_) return;
    supervision_.kill();
    next_ = Clock::now() + kKillAgain;
  }

  // For poll(2).
  int milliseconds_left() const {
    if (!next_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next_ - Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
  }

 private:
  const Supervision& supervision_;
  std::optional<Clock::time_point> next_;
};

}  // namespace

void OutputPipes::connect(Launch& launch) const {
  launch.standard[1] = out.get();
  launch.standard[2] = err ? err.get() : out.get();
}

void OutputPipes::close_write_ends() {
  out.close();
  err.close();
}

Result<OutputPipes> make_output(Streams streams) {
  OutputPipes pipes;
  if (streams == Streams::inherited) return pipes;
  Pipe out = TRY(make_pipe());
  pipes.read.out = std::move(out.read);
  pipes.out = std::move(out.write);
  if (streams == Streams::merged) return pipes;
  Pipe err = TRY(make_pipe());
  pipes.read.err = std::move(err.read);
  pipes.err = std::move(err.write);
  return pipes;
}

int stop_signal_of(const Command& command) {
  return command.stop_signal ? command.stop_signal() : SIGTERM;
}

Result<Ended> supervise(const Supervision& supervision, const Output& output, const Sink& on_stdout,
                        const Sink& on_stderr, const std::stop_token& stop) {
  const util::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno(errno, "eventfd");
  const std::stop_callback on_stop(stop, [&] { ::eventfd_write(wake.get(), 1); });
  Stream out(output.out.get(), on_stdout);
  Stream err(output.err.get(), on_stderr);
  Ending ending(supervision);
  while (true) {
    // poll(2) skips negative descriptors: closed streams, and the wake-up once it has come.
    std::array<pollfd, 4> waiting{{{supervision.child->ended(), POLLIN, 0},
                                   {out.fd(), POLLIN, 0},
                                   {err.fd(), POLLIN, 0},
                                   {ending.begun() ? -1 : wake.get(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), ending.milliseconds_left()) < 0 && errno != EINTR) {
      return fail_errno(errno, "poll");
    }
    if (waiting[3].revents != 0) ending.begin();
    ending.act_when_due();
    if (waiting[1].revents != 0) out.pass_on();
    if (waiting[2].revents != 0) err.pass_on();
    if (waiting[0].revents != 0) break;
  }
  out.drain();
  err.drain();
  return ending.begun() ? Ended::stopped : Ended::by_itself;
}

Exit exit_of(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status), false};
  return {WEXITSTATUS(status), 0, false};
}

Exit from_shell_code(int code, bool stopped) {
  const bool by_signal = code > 128 && code < 128 + NSIG;
  return {code, by_signal ? code - 128 : 0, stopped};
}

}  // namespace hearth::sandbox
