// One transfer of the cache, a restore or a save: in a thread of its own, and ended by its limits.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "store/object_store.h"
#include "store/open.h"

namespace hearth::build {

struct TransferLimits {
  std::chrono::milliseconds deadline{};  // of the whole transfer
  std::chrono::milliseconds stall{};     // without progress, while a request to the store is in flight
};

// Runs from construction on, on a store that no other request of this object's user goes through.
class Transfer {
 public:
  // On the store, until the token fires; it is fired by a limit, by `stop` and by the destructor. What it captures is
  // its own: a transfer that hangs in the store outlives this object. Where the system has no thread for it, it is not
  // called, and the transfer is late at once.
  using Work = std::function<void(store::ObjectStore&, const std::stop_token&)>;

  Transfer(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<const store::Meter> meter, TransferLimits limits,
           Work work, const std::stop_token& stop);
  // Stops it and waits for its end. One that hangs in a request to the store is left to itself after a moment.
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Waits until the work has returned: true; or until it has to end and a moment has passed: false, and it is late,
  // whatever it still does.
  bool wait();

  // Why it is late: "made no progress for 10 s", "took too long" or "found no thread to work in".
  std::string lateness() const;

  std::chrono::steady_clock::time_point started() const { return started_; }
  // How long the work took, or until now where it has not returned.
  std::chrono::steady_clock::duration taken() const;

 private:
  struct State;
  static std::shared_ptr<State> begin(std::shared_ptr<store::ObjectStore> store,
                                      std::shared_ptr<const store::Meter> meter, TransferLimits limits, Work work,
                                      const std::stop_token& stop);

  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::stop_source abandon_;
  std::stop_callback<std::function<void()>> pass_on_;
  const std::shared_ptr<State> state_;  // null where there was no thread
};

// The same for work with a report, of cache::restore or cache::save.
template <class Report>
class ReportingTransfer {
 public:
  ReportingTransfer(std::shared_ptr<store::ObjectStore> store, std::shared_ptr<const store::Meter> meter,
                    TransferLimits limits, std::function<Report(store::ObjectStore&, const std::stop_token&)> work,
                    const std::stop_token& stop)
      : transfer_(
            std::move(store), std::move(meter), limits,
            [report = report_, work = std::move(work)](store::ObjectStore& watched, const std::stop_token& token) {
              *report = work(watched, token);
            },
            stop) {}

  // The work's report; where it did not return in time, one that says that it is late. Call once.
  Report wait() {
    if (transfer_.wait()) return std::move(*report_);
    Report late;
    late.outcome = decltype(late.outcome)::late;
    return late;
  }

  const Transfer& transfer() const { return transfer_; }

 private:
  const std::shared_ptr<Report> report_ = std::make_shared<Report>();
  Transfer transfer_;
};

}  // namespace hearth::build
