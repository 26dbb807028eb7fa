// Without a pid namespace: a small process of ours between us and the command, to which every orphan of the command
// falls, so that all of them can be found and ended, and nobody else.
#pragma once

#include "sandbox/process.h"
#include "util/error.h"
#include "util/file.h"

namespace hearth::sandbox {

// A command with its keeper. When the command's own process has ended, the keeper kills the rest, and ends when none is
// left. It does the same when this process ends, however that may happen.
class Kept {
 public:
  // A command that cannot be executed is not an error: see failure().
  static Result<Kept> start(const Launch& launch);

  // Its end is the end of all.
  const Child& keeper() const { return keeper_; }
  const StartFailure& failure() const { return failure_; }
  // This signal to every process of the command.
  void terminate(int number) const;
  // KILL to every process of the command.
  void kill();
  // After the keeper's end: the command's status as waitpid(2) gives it. io where the keeper was killed.
  Result<int> wait();

 private:
  Kept(Child keeper, util::Fd control, util::Fd status, StartFailure failure)
      : keeper_(std::move(keeper)), control_(std::move(control)), status_(std::move(status)), failure_(failure) {}

  Child keeper_;
  util::Fd control_;  // closed: kill all
  util::Fd status_;
  StartFailure failure_;
};

}  // namespace hearth::sandbox
