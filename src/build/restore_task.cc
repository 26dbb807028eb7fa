#include "build/restore_task.h"

namespace hearth::build {

namespace {

// Between the deadline's stop request and giving the restore up: time to end in an orderly way.
constexpr std::chrono::milliseconds kMoment(1000);

}  // namespace

RestoreTask::RestoreTask(RestoreRequest request, const std::stop_token& stop)
    : request_(std::move(request)),
      deadline_(stop, request_.deadline),
      thread_([this](const std::stop_token& destroyed) {
        const std::stop_callback at_deadline(deadline_.token(), [this] { abandon_.request_stop(); });
        const std::stop_callback at_end(destroyed, [this] { abandon_.request_stop(); });
        cache::RestoreReport report = cache::restore(*request_.store, request_.name, request_.directory, request_.index,
                                                     {.owner = request_.owner, .threads = 0}, abandon_.get_token());
        promise_.set_value({std::move(report), std::chrono::steady_clock::now()});
      }) {}

cache::RestoreReport RestoreTask::wait() {
  if (done_.wait_until(started_ + request_.deadline + kMoment) == std::future_status::ready) {
    Done done = done_.get();
    taken_ = done.at - started_;
    return std::move(done.report);
  }
  abandon_.request_stop();
  taken_ = std::chrono::steady_clock::now() - started_;
  cache::RestoreReport late;
  late.outcome = cache::RestoreOutcome::late;
  return late;
}

}  // namespace hearth::build
