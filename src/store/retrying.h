// Asks again when a store gave no proper answer.
#pragma once

#include <functional>
#include <memory>

#include "store/forwarding.h"
#include "store/patience.h"

namespace hearth::store {

// Passes everything on to the inner store, several times where that helps; a failure that remains is the last one.
// list goes on behind the last key that was visited, so no object is visited twice.
// A put that was applied, although its answer got lost, makes its own repetition a conflict. So a conflict after an
// unclear answer is looked into: if the object is, byte for byte, what was to be put, the put succeeded, with that
// object's version. Two writers that put the same bytes cannot be told apart by this; who minds puts a nonce in.
class Retrying : public Forwarding {
 public:
  // `on_retry` is called before each repetition, in the caller's thread.
  Retrying(std::unique_ptr<ObjectStore> inner, const RetryPolicy& policy, std::function<void()> on_retry,
           RetryClock clock = RetryClock::real())
      : Forwarding(std::move(inner)), policy_(policy), on_retry_(std::move(on_retry)), clock_(std::move(clock)) {}

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override;

 private:
  template <class Call>
  std::invoke_result_t<Call> repeated(const std::stop_token& stop, Call call) const {
    return repeat(Patience(policy_, clock_), stop, std::move(call), on_retry_);
  }

  const RetryPolicy policy_;
  const std::function<void()> on_retry_;
  const RetryClock clock_;
};

}  // namespace hearth::store
