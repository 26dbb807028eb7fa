// Counts what is asked of a store.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "store/forwarding.h"

namespace hearth::store {

// Counters at one moment; each since the store was opened.
struct MeterReading {
  struct Requests {
    std::uint64_t get = 0;
    std::uint64_t put = 0;
    std::uint64_t list = 0;
    std::uint64_t stat = 0;
    std::uint64_t remove = 0;
  };
  Requests requests;            // calls, whatever came of them; a call that was tried again counts once
  std::uint64_t bytes_in = 0;   // came with get
  std::uint64_t bytes_out = 0;  // of puts that were acknowledged
  std::uint64_t retries = 0;    // attempts beyond the first, over all calls
  // Gets that a node-local tier answered, which are no requests, and the bytes that it returned; and gets of what a
  // tier keeps, but did not have yet.
  struct Tier {
    std::uint64_t hits = 0;
    std::uint64_t bytes = 0;
    std::uint64_t misses = 0;
  };
  std::optional<Tier> tier;  // absent: the store has none
};

// Thread-safe; the counters of a reading need not be of one instant.
class Meter {
 public:
  MeterReading read() const;
  void count_retry() { ++retries_; }

  void begin_tier() { has_tier_ = true; }  // counted from now on
  void count_tier_hit(std::uint64_t bytes) {
    ++tier_hits_;
    tier_bytes_ += bytes;
  }
  void count_tier_miss() { ++tier_misses_; }

  // Bytes that a medium has read or written for requests, at once, and not only when a request has returned: for
  // whoever wants to know whether something moves.
  void count_moved(std::uint64_t bytes) { moved_ += bytes; }
  std::uint64_t moved() const { return moved_; }

 private:
  friend class Metered;
  using Counter = std::atomic<std::uint64_t>;
  Counter get_{0}, put_{0}, list_{0}, stat_{0}, remove_{0};
  Counter bytes_in_{0}, bytes_out_{0}, retries_{0}, moved_{0};
  Counter tier_hits_{0}, tier_bytes_{0}, tier_misses_{0};
  std::atomic<bool> has_tier_{false};
};

// Passes everything on, and counts it.
class Metered : public Forwarding {
 public:
  Metered(std::unique_ptr<ObjectStore> inner, std::shared_ptr<Meter> meter)
      : Forwarding(std::move(inner)), meter_(std::move(meter)) {}

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;

 private:
  const std::shared_ptr<Meter> meter_;
};

}  // namespace hearth::store
