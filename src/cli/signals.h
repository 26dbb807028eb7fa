// SIGINT, SIGTERM and SIGHUP as a stop request.
#pragma once

#include <memory>
#include <stop_token>

#include "util/error.h"

namespace hearth::cli {

// From construction to destruction the three signals request a stop instead of ending the process; one that was ignored
// when we were started (nohup) stays ignored. SIGPIPE is caught and does nothing: writes see EPIPE. Handlers rather
// than masks or SIG_IGN, because these two would be inherited by every program that we start. One object per process.
class Signals {
 public:
  static Result<Signals> install();
  Signals(Signals&&) noexcept;
  Signals& operator=(Signals&&) = delete;
  ~Signals();

  std::stop_token token() const;
  // The first signal that came; 0 while none did.
  int received() const;

  // From now on Ctrl-C requests no stop, and is not received: the terminal sends it to all that stand in its
  // foreground, and what we have started there decides what comes of it. A SIGINT of a process (kill) counts as before.
  static void leave_ctrl_c();

 private:
  struct State;
  explicit Signals(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::cli
