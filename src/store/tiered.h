// A node-local tier: objects that never change are kept on this machine's disk, so that they are fetched once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "store/forwarding.h"
#include "store/metered.h"

namespace hearth::store {

struct TierOptions {
  std::filesystem::path directory;                // absolute; made, with its parents, if it is absent (0700)
  std::uint64_t bytes = std::uint64_t{20} << 30;  // that it may take, give or take a sixteenth for each process
  // Which objects are written once, so that a copy cannot be out of date.
  std::function<bool(const Key&)> written_once;
};

// Makes the directory ready, and removes what killed processes left in it. A directory that cannot be used: denied or
// io.
Result<void> prepare_tier(const TierOptions& options);

// Gets of such an object fetch the whole of it (objects of more than 64 MiB: the range alone), keep it, and are
// answered from the disk from then on, without a request; a successful put keeps what was put. Everything else is
// passed on, as is each get that the tier cannot answer: it never makes anything fail. A copy is verified at each read
// (tier_file.h), and one that is damaged is removed and fetched anew. `now` of an answer from the disk is when the
// object was fetched. An object that somebody deleted from the store may still be got.
//
// The directory may be shared by any number of processes and stores, of one user. Copies that were not used for longest
// are removed when it gets too large. Copies are made by rename and not synced: what a crash damages is no copy.
class Tiered : public Forwarding {
 public:
  // prepare_tier() went well with these options. `meter` counts what the tier answers.
  Tiered(std::shared_ptr<ObjectStore> inner, TierOptions options, std::shared_ptr<Meter> meter)
      : Forwarding(std::move(inner)), options_(std::move(options)), meter_(std::move(meter)) {
    meter_->begin_tier();
  }

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;

 private:
  class Turn;

  std::filesystem::path path_of(const Key& key) const;
  std::optional<Object> look_up(const Key& key, ByteRange range);
  Result<Object> fetch(const Key& key, ByteRange range, const std::stop_token& stop);
  void keep(const ObjectInfo& info, std::span<const std::byte> content);
  void forget(const Key& key) const;
  void make_room(std::uint64_t added);

  const TierOptions options_;
  const std::shared_ptr<Meter> meter_;

  // Several threads want parts of one object at the same time; one of them fetches it.
  std::mutex mutex_;
  std::condition_variable_any fetched_;
  std::set<Key> being_fetched_;

  std::mutex room_mutex_;
  std::uint64_t added_ = 0;  // since the directory was last looked through
  bool looked_through_ = false;
};

}  // namespace hearth::store
