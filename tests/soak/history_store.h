// A store that remembers what happened to HEAD, and to the objects that it names, so that it can be judged afterwards.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "store/object_store.h"

namespace hearth::soak {

// Passes everything on to `inner`, which it does not own, and which has compare-and-swap. Its clock is that of `inner`
// and what was added to it. Thread-safe.
class HistoryStore : public store::ObjectStore {
 public:
  HistoryStore(store::ObjectStore& inner, cache::Layout layout) : inner_(inner), layout_(std::move(layout)) {}

  void advance(std::chrono::seconds by) { offset_ += by.count(); }

  // What is wrong with what happened, a line each, the first of each kind. Nobody uses the store any more.
  std::vector<std::string> violations();
  // All that were ever committed; known after violations().
  const std::set<std::string>& generations() const { return generations_; }
  std::uint64_t written_heads() const { return written_.size(); }
  std::uint64_t removed_objects() const { return removed_.size(); }

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override;
  Result<store::Version> put(const store::Key& key, store::Body body, const store::Condition& condition,
                             std::stop_token stop) override;
  Result<store::ObjectInfo> stat(const store::Key& key, std::stop_token stop) override;
  Result<void> list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const store::Key& key, std::stop_token stop) override;
  store::CompareAndSwap compare_and_swap() const override { return inner_.compare_and_swap(); }
  std::string description() const override { return inner_.description(); }

 private:
  // When an operation began and ended, by a count of begins and ends.
  struct Span {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  struct Written {
    Span span;
    cache::Head head;
  };
  struct Read {
    Span span;
    std::uint64_t serial = 0;
    std::string nonce;
  };
  struct Removed {
    std::uint64_t begin = 0;
    cache::ObjectName object;
  };

  std::uint64_t stamp() { return ++stamps_; }
  store::ObjectInfo shifted(store::ObjectInfo info) const;

  // Each adds what it finds.
  void judge_order(std::vector<std::string>& found) const;
  void judge_reads(std::vector<std::string>& found) const;
  void judge_generations(std::vector<std::string>& found);
  void judge_removals(std::vector<std::string>& found) const;
  void judge_last(std::vector<std::string>& found) const;

  store::ObjectStore& inner_;
  const cache::Layout layout_;
  std::atomic<std::uint64_t> stamps_ = 0;
  std::atomic<std::int64_t> offset_ = 0;  // seconds
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::int64_t> offsets_;  // by key and version, when it was written
  std::vector<Written> written_;                                         // by violations(): sorted by serial
  std::vector<Read> read_;
  std::vector<Removed> removed_;
  std::set<std::string> generations_;
};

}  // namespace hearth::soak
