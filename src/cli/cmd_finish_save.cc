// hearth finish-save: the process that goes on after `hearth build --save background`. Not for people, so no help names
// it.
#include <fcntl.h>

#include <memory>

#include "build/background.h"
#include "cli/command.h"
#include "cli/exit_code.h"

namespace hearth::cli {

namespace {

struct Descriptors {
  int job = -1;
  int lock = -1;
};

bool is_open(int descriptor) {
  return descriptor > 2 && ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

int run_finish_save(const Descriptors& given, const Session& session) {
  if (!is_open(given.job) || !is_open(given.lock) || given.job == given.lock) {
    complain("finish-save is what hearth build --save background starts; it is of no use by hand");
    return static_cast<int>(ExitCode::usage);
  }
  const Result<void> done =
      build::finish_save({util::Fd(given.job), util::Fd(given.lock)}, build::surroundings(), session.signals.token());
  if (done) return static_cast<int>(ExitCode::success);
  complain(done.error().message);
  return exit_code(done.error().kind, session.signals.received());
}

}  // namespace

void define_finish_save(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("finish-save", "Finish the save of a build that has ended");
  command->group("");
  auto given = std::make_shared<Descriptors>();
  command->add_option("JOB", given->job, "Descriptor of the job");
  command->add_option("LOCK", given->lock, "Descriptor of the work directory's lock");
  command->final_callback([&invocation, given] {
    invocation.check = [&invocation, given] {
      invocation.run = [given](const Session& session) { return run_finish_save(*given, session); };
    };
  });
}

}  // namespace hearth::cli
