#include "support/faulty_store.h"

#include <algorithm>

namespace hearth::support {
namespace {

std::unexpected<Error> no_answer() {
  return fail(ErrorKind::unavailable, "the store does not answer");
}

std::unexpected<Error> absent(const store::Key& key) {
  return fail(ErrorKind::not_found, "no object {}", key.text());
}

}  // namespace

void FaultyStore::die_after(std::uint64_t survivors, LastMutation last) {
  const std::scoped_lock lock(mutex_);
  survivors_ = survivors;
  last_ = last;
}

bool FaultyStore::dead() const {
  const std::scoped_lock lock(mutex_);
  return dead_;
}

void FaultyStore::revive() {
  const std::scoped_lock lock(mutex_);
  dead_ = false;
  survivors_.reset();
}

std::uint64_t FaultyStore::mutations() const {
  const std::scoped_lock lock(mutex_);
  return mutations_;
}

void FaultyStore::corrupt(const store::Key& key, std::uint64_t offset) {
  const std::scoped_lock lock(mutex_);
  corrupt_[key].insert(offset);
}

void FaultyStore::truncate(const store::Key& key, std::uint64_t size) {
  const std::scoped_lock lock(mutex_);
  truncated_.insert_or_assign(key, size);
}

void FaultyStore::hide(const store::Key& key) {
  const std::scoped_lock lock(mutex_);
  hidden_.insert(key);
}

void FaultyStore::heal() {
  const std::scoped_lock lock(mutex_);
  corrupt_.clear();
  truncated_.clear();
  hidden_.clear();
}

void FaultyStore::refuse(Verb verb, ErrorKind kind) {
  const std::scoped_lock lock(mutex_);
  refused_.insert_or_assign(verb, kind);
}

void FaultyStore::forgive() {
  const std::scoped_lock lock(mutex_);
  refused_.clear();
}

void FaultyStore::stall() {
  const std::scoped_lock lock(mutex_);
  stalled_ = true;
}

void FaultyStore::hang() {
  const std::scoped_lock lock(mutex_);
  hanging_ = true;
}

void FaultyStore::resume() {
  const std::scoped_lock lock(mutex_);
  stalled_ = false;
  hanging_ = false;
  changed_.notify_all();
}

Result<store::Object> FaultyStore::get(const store::Key& key, store::ByteRange range, std::stop_token stop) {
  TRY(begin(Verb::get, key.text(), stop));
  const Look look = look_of(key);
  if (look.hidden) return absent(key);
  store::ByteRange part = range;
  if (look.size) {
    const store::ObjectInfo real = TRY(inner_.stat(key, stop));
    part = TRY(store::clip(range, std::min(real.size, *look.size)));
  }
  store::Object object = TRY(inner_.get(key, part, stop));
  if (look.size) object.info.size = std::min(object.info.size, *look.size);
  const std::scoped_lock lock(mutex_);
  const auto damage = corrupt_.find(key);
  if (damage == corrupt_.end()) return object;
  for (const std::uint64_t offset : damage->second) {
    if (offset < part.offset || offset - part.offset >= object.bytes.size()) continue;
    object.bytes[offset - part.offset] ^= std::byte{1};
  }
  return object;
}

Result<store::Version> FaultyStore::put(const store::Key& key, store::Body body, const store::Condition& condition,
                                        std::stop_token stop) {
  TRY(begin(Verb::put, key.text(), stop));
  const Fate fate = next_mutation();
  if (fate == Fate::lost) return no_answer();
  auto version = inner_.put(key, body, condition, std::move(stop));
  if (fate == Fate::applied_only) return no_answer();
  return version;
}

Result<store::ObjectInfo> FaultyStore::stat(const store::Key& key, std::stop_token stop) {
  TRY(begin(Verb::stat, key.text(), stop));
  store::ObjectInfo info = TRY(inner_.stat(key, std::move(stop)));
  auto shown = disguised(std::move(info));
  if (!shown) return absent(key);
  return *std::move(shown);
}

Result<void> FaultyStore::list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  TRY(begin(Verb::list, prefix.text(), stop));
  return inner_.list(
      prefix,
      [&](const store::ObjectInfo& info) -> Result<void> {
        const auto shown = disguised(info);
        if (!shown) return {};
        return visit(*shown);
      },
      std::move(stop));
}

Result<void> FaultyStore::remove(const store::Key& key, std::stop_token stop) {
  TRY(begin(Verb::remove, key.text(), stop));
  const Fate fate = next_mutation();
  if (fate == Fate::lost) return no_answer();
  auto removed = inner_.remove(key, std::move(stop));
  if (fate == Fate::applied_only) return no_answer();
  return removed;
}

Result<void> FaultyStore::begin(Verb verb, const std::string& key, const std::stop_token& stop) {
  static thread_local bool in_hook = false;
  if (hook_ && !in_hook) {
    in_hook = true;
    hook_({verb, key});
    in_hook = false;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !hanging_; });
  if (stalled_) {
    if (!stop.stop_possible()) return no_answer();
    if (!changed_.wait(lock, stop, [&] { return !stalled_; })) {
      return fail(ErrorKind::cancelled, "stopped while the store was silent");
    }
  }
  if (dead_) return no_answer();
  const auto refusal = refused_.find(verb);
  if (refusal != refused_.end()) return fail(refusal->second, "the store refuses {}", key);
  return {};
}

FaultyStore::Fate FaultyStore::next_mutation() {
  const std::scoped_lock lock(mutex_);
  if (dead_) return Fate::lost;
  ++mutations_;
  if (!survivors_) return Fate::passes;
  if (*survivors_ > 0) {
    --*survivors_;
    return Fate::passes;
  }
  dead_ = true;
  return last_ == LastMutation::lost ? Fate::lost : Fate::applied_only;
}

FaultyStore::Look FaultyStore::look_of(const store::Key& key) const {
  const std::scoped_lock lock(mutex_);
  const auto shorter = truncated_.find(key);
  return {hidden_.contains(key), shorter == truncated_.end() ? std::nullopt : std::optional(shorter->second)};
}

std::optional<store::ObjectInfo> FaultyStore::disguised(store::ObjectInfo info) const {
  const Look look = look_of(info.key);
  if (look.hidden) return std::nullopt;
  if (look.size) info.size = std::min(info.size, *look.size);
  return info;
}

}  // namespace hearth::support
