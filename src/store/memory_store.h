// A store in memory: the double that tests run against, with a clock that they set.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "store/object_store.h"

namespace hearth::store {

// Lives as long as the object; thread-safe. Its clock stands still until it is moved.
class MemoryStore : public ObjectStore {
 public:
  // With CompareAndSwap::absent, put does as if every condition held: the worst that such stores do.
  explicit MemoryStore(CompareAndSwap compare_and_swap = CompareAndSwap::honoured)
      : compare_and_swap_(compare_and_swap) {}

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return compare_and_swap_; }
  std::string description() const override { return "memory://"; }

  // The store's own clock. It may be set back.
  StoreTime now() const;
  void set_time(StoreTime time);
  void advance(std::chrono::seconds by);

 private:
  struct Stored {
    std::shared_ptr<const std::vector<std::byte>> bytes;
    std::uint64_t serial = 0;  // of the write; the version
    StoreTime modified;
  };

  ObjectInfo info(const Key& key, const Stored& stored) const;  // REQUIRES: mutex_ is held

  const CompareAndSwap compare_and_swap_;
  mutable std::mutex mutex_;
  std::map<Key, Stored> objects_;
  std::uint64_t serial_ = 0;
  StoreTime now_{std::chrono::sys_days{std::chrono::year{2020} / 1 / 1}};
};

}  // namespace hearth::store
