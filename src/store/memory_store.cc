#include "store/memory_store.h"

#include "store/body.h"
#include "store/pause.h"

namespace hearth::store {
namespace {

Version version_of(std::uint64_t serial) {
  return {fmt::format("m{}", serial)};
}

std::unexpected<Error> absent(const Key& key) {
  return fail(ErrorKind::not_found, "memory://: no object {}", key.text());
}

}  // namespace

Result<Object> MemoryStore::get(const Key& key, ByteRange range, std::stop_token stop) {
  TRY(go_on(stop));
  std::unique_lock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return absent(key);
  const auto content = found->second.bytes;
  ObjectInfo what = info(key, found->second);
  lock.unlock();
  const ByteRange part = TRY(within(key.text(), clip(range, what.size)));
  const auto begin = content->begin() + static_cast<std::ptrdiff_t>(part.offset);
  std::vector<std::byte> bytes(begin, begin + static_cast<std::ptrdiff_t>(part.length));
  return Object{std::move(what), std::move(bytes)};
}

Result<Version> MemoryStore::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  TRY(go_on(stop));
  auto content = std::make_shared<std::vector<std::byte>>();
  TRY(for_each_piece(
      body,
      [&](std::span<const std::byte> piece) -> Result<void> {
        content->insert(content->end(), piece.begin(), piece.end());
        return {};
      },
      stop));
  const std::scoped_lock lock(mutex_);
  const auto found = objects_.find(key);
  const bool exists = found != objects_.end();
  const bool holds = condition.kind == Condition::Kind::none ||
                     (condition.kind == Condition::Kind::if_absent && !exists) ||
                     (condition.kind == Condition::Kind::if_version && exists &&
                      version_of(found->second.serial) == condition.version);
  if (!holds && compare_and_swap_ == CompareAndSwap::honoured) {
    return fail(ErrorKind::conflict, "memory://: {} was changed by another writer", key.text());
  }
  objects_.insert_or_assign(key, Stored{std::move(content), ++serial_, now_});
  return version_of(serial_);
}

Result<ObjectInfo> MemoryStore::stat(const Key& key, std::stop_token stop) {
  TRY(go_on(stop));
  const std::scoped_lock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return absent(key);
  return info(key, found->second);
}

Result<void> MemoryStore::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  std::vector<ObjectInfo> found;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, stored] : objects_) {
      if (key.text().starts_with(prefix.text())) found.push_back(info(key, stored));
    }
  }
  // Outside of the lock, since a visitor may use the store.
  for (const ObjectInfo& object : found) {
    TRY(go_on(stop));
    TRY(visit(object));
  }
  return {};
}

Result<void> MemoryStore::remove(const Key& key, std::stop_token stop) {
  TRY(go_on(stop));
  const std::scoped_lock lock(mutex_);
  objects_.erase(key);
  return {};
}

StoreTime MemoryStore::now() const {
  const std::scoped_lock lock(mutex_);
  return now_;
}

void MemoryStore::set_time(StoreTime time) {
  const std::scoped_lock lock(mutex_);
  now_ = time;
}

void MemoryStore::advance(std::chrono::seconds by) {
  const std::scoped_lock lock(mutex_);
  now_ += by;
}

ObjectInfo MemoryStore::info(const Key& key, const Stored& stored) const {
  return {key, stored.bytes->size(), version_of(stored.serial), stored.modified, now_};
}

}  // namespace hearth::store
