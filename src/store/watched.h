// Tells whether the requests to a store get anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "store/forwarding.h"
#include "store/metered.h"

namespace hearth::store {

// What goes on at a store at one moment.
struct Activity {
  std::uint64_t in_flight = 0;  // requests that were begun and have not returned
  std::uint64_t steps = 0;  // grows with every request that begins or returns, object that is listed, byte that moves
};

// Passes everything on, and counts. Not a part of what open() stacks: whoever wants to watch some requests, and not
// all that the store gets, sends them through one of these. Thread-safe.
class Watched : public Forwarding {
 public:
  // `meter`, of open(), knows the bytes that moved within requests that have not returned; may be null.
  Watched(std::shared_ptr<ObjectStore> inner, std::shared_ptr<const Meter> meter)
      : Forwarding(std::move(inner)), meter_(std::move(meter)) {}

  Activity activity() const;

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;

 private:
  class Flight;

  const std::shared_ptr<const Meter> meter_;
  std::atomic<std::uint64_t> in_flight_{0};
  std::atomic<std::uint64_t> steps_{0};
};

}  // namespace hearth::store
