// Waits for a child, passes its output on as it comes, and ends it when asked to.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "sandbox/process.h"
#include "sandbox/sandbox.h"
#include "util/file.h"

namespace hearth::sandbox {

// The read ends of a command's output. The second is absent where the streams are merged, both where inherited.
struct Output {
  util::Fd out;
  util::Fd err;
};

// The pipes of a command that is about to start.
struct OutputPipes {
  Output read;
  util::Fd out;  // write ends; absent as above
  util::Fd err;

  // Makes them the launch's stdout and stderr.
  void connect(Launch& launch) const;
  // Once the command has them.
  void close_write_ends();
};
Result<OutputPipes> make_output(Streams streams);

struct Supervision {
  const Child* child = nullptr;       // its end is the end of the command and of everything that it started
  std::function<void()> terminate;    // asks the command to end
  std::function<void()> kill;         // ends it; called again every second until it has ended
  std::chrono::milliseconds grace{};  // between the two
};

// What a stop sends to this command.
int stop_signal_of(const Command& command);

enum class Ended { by_itself, stopped };

// Returns when the child has ended (unreaped) and what it had written is passed on. Whoever else holds the pipes does
// not delay it.
Result<Ended> supervise(const Supervision& supervision, const Output& output, const Sink& on_stdout,
                        const Sink& on_stderr, const std::stop_token& stop);

// Exit code and signal from waitpid's status.
Exit exit_of(int status);

// The same from an exit code in which a signal shows as 128 + its number, as shells tell it.
Exit from_shell_code(int code, bool stopped);

}  // namespace hearth::sandbox
