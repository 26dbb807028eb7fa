#include "build/transfer.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "store/stall.h"
#include "store/watched.h"
#include "util/stop.h"
#include "util/text.h"

namespace hearth::build {

namespace {

// Between the request to stop and giving the transfer up: time to end in an orderly way.
constexpr std::chrono::milliseconds kMoment(1000);

}  // namespace

// Shared with the thread, which may outlive the transfer.
struct Transfer::State {
  using Clock = std::chrono::steady_clock;

  State(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<const store::Meter> meter, TransferLimits given,
        const std::stop_token& stop)
      : limits(given),
        watched(std::move(store), std::move(meter)),
        deadline(stop, limits.deadline),
        watch(watched, limits.stall, deadline.token()) {}

  void run(Work work) {
    work(watched, watch.token());
    work = nullptr;  // what it holds is free before anybody learns that it has ended
    const std::lock_guard guard(mutex);
    ended = Clock::now();
    changed.notify_all();
  }

  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds time) {
    return changed.wait_for(lock, time, [this] { return ended.has_value(); });
  }

  const TransferLimits limits;
  store::Watched watched;
  const util::StopAfter deadline;
  const store::StallWatch watch;
  std::mutex mutex;
  std::condition_variable_any changed;
  std::optional<Clock::time_point> ended;
};

Transfer::Transfer(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<const store::Meter> meter,
                   TransferLimits limits, Work work, const std::stop_token& stop)
    : pass_on_(stop, [this] { abandon_.request_stop(); }),
      state_(begin(std::move(store), std::move(meter), limits, std::move(work), abandon_.get_token())) {}

std::shared_ptr<Transfer::State> Transfer::begin(std::shared_ptr<store::ObjectStore> store,
                                                 std::shared_ptr<const store::Meter> meter, TransferLimits limits,
                                                 Work work, const std::stop_token& stop) {
  // Both watches over it are threads, too; without them it might last for ever.
  try {
    auto state = std::make_shared<State>(std::move(store), std::move(meter), limits, stop);
    std::thread([state, work = std::move(work)]() mutable { state->run(std::move(work)); }).detach();
    return state;
  } catch (const std::system_error&) {
    return nullptr;
  }
}

Transfer::~Transfer() {
  abandon_.request_stop();
  if (!state_) return;
  std::unique_lock lock(state_->mutex);
  // Without a request in flight it tidies up, and comes to an end.
  while (!state_->wait_for(lock, kMoment)) {
    if (state_->watched.activity().in_flight > 0) return;
  }
}

bool Transfer::wait() {
  if (!state_) return false;
  std::unique_lock lock(state_->mutex);
  // Returns, too, when the token fires.
  state_->changed.wait(lock, state_->watch.token(), [this] { return state_->ended.has_value(); });
  return state_->wait_for(lock, kMoment);
}

std::string Transfer::lateness() const {
  if (!state_) return "found no thread to work in";
  if (!state_->watch.stalled()) return "took too long";
  return fmt::format("made no progress for {}", util::human_duration(state_->limits.stall));
}

std::chrono::steady_clock::duration Transfer::taken() const {
  if (!state_) return {};
  const std::lock_guard guard(state_->mutex);
  return state_->ended.value_or(State::Clock::now()) - started_;
}

}  // namespace hearth::build
