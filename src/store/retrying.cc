#include "store/retrying.h"

#include <algorithm>
#include <random>

#include "store/body.h"
#include "store/pause.h"

namespace hearth::store {
namespace {

double random_fraction() {
  static thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// The object's version if it holds exactly the body; a conflict if it does not.
Result<Version> version_if_equal(ObjectStore& store, const Key& key, const Body& body, const std::stop_token& stop) {
  const ObjectInfo there = TRY(store.stat(key, stop));
  const auto different = [&] { return fail(ErrorKind::conflict, "{} was changed by another writer", key.text()); };
  const std::uint64_t size = TRY(body_size(body));
  if (there.size != size) return different();
  std::uint64_t offset = 0;
  const auto compare = [&](std::span<const std::byte> piece) -> Result<void> {
    const Object part = TRY(store.get(key, {offset, piece.size()}, stop));
    if (part.info.version != there.version || !std::ranges::equal(part.bytes, piece)) return different();
    offset += piece.size();
    return {};
  };
  TRY(for_each_piece(body, compare, stop));
  return there.version;
}

}  // namespace

RetryClock RetryClock::real() {
  return {[] { return std::chrono::steady_clock::now(); }, pause, random_fraction};
}

// What is left of one call's attempts and time.
class Retrying::Patience {
 public:
  explicit Patience(const Retrying& owner)
      : owner_(owner), deadline_(owner.clock_.now() + owner.policy_.total), bound_(owner.policy_.first_delay) {}

  // After a failure of this kind: waits, and tells whether to try again. cancelled if the token fires.
  Result<bool> try_again(ErrorKind kind, const std::stop_token& stop) {
    if (kind != ErrorKind::unavailable || ++attempts_ >= owner_.policy_.attempts) return false;
    const auto delay = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double, std::nano>(bound_) * owner_.clock_.chance());
    if (owner_.clock_.now() + delay > deadline_) return false;
    TRY(owner_.clock_.wait(delay, stop));
    bound_ = std::min<std::chrono::nanoseconds>(bound_ * 2, owner_.policy_.longest_delay);
    if (owner_.on_retry_) owner_.on_retry_();
    return true;
  }

 private:
  const Retrying& owner_;
  const std::chrono::steady_clock::time_point deadline_;
  std::chrono::nanoseconds bound_;
  unsigned attempts_ = 0;
};

template <class Call>
std::invoke_result_t<Call> Retrying::repeat(const std::stop_token& stop, Call call) {
  Patience patience(*this);
  while (true) {
    auto result = call();
    if (result) return result;
    const bool again = TRY(patience.try_again(result.error().kind, stop));
    if (!again) return result;
  }
}

Result<Object> Retrying::get(const Key& key, ByteRange range, std::stop_token stop) {
  return repeat(stop, [&] { return inner_->get(key, range, stop); });
}

Result<Version> Retrying::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  bool unclear = false;
  return repeat(stop, [&]() -> Result<Version> {
    auto version = inner_->put(key, body, condition, stop);
    if (version || !unclear) {
      unclear = !version && version.error().kind == ErrorKind::unavailable;
      return version;
    }
    if (version.error().kind != ErrorKind::conflict) return version;
    auto own = version_if_equal(*inner_, key, body, stop);
    // Removed since: the put did not survive, whosever it was.
    if (!own && own.error().kind == ErrorKind::not_found) return version;
    return own;
  });
}

Result<ObjectInfo> Retrying::stat(const Key& key, std::stop_token stop) {
  return repeat(stop, [&] { return inner_->stat(key, stop); });
}

Result<void> Retrying::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  std::optional<Key> last;
  std::optional<Error> from_visitor;
  auto listed = repeat(stop, [&]() -> Result<void> {
    auto once = inner_->list(
        prefix,
        [&](const ObjectInfo& info) -> Result<void> {
          if (last && info.key <= *last) return {};
          auto visited = visit(info);
          if (!visited) {
            from_visitor = visited.error();
            // Whatever its kind, the visitor's failure is not the store's, and no reason to ask again.
            return fail(ErrorKind::cancelled, "the visitor ended the listing");
          }
          last = info.key;
          return {};
        },
        stop);
    return once;
  });
  if (from_visitor) return std::unexpected(*std::move(from_visitor));
  return listed;
}

Result<void> Retrying::remove(const Key& key, std::stop_token stop) {
  return repeat(stop, [&] { return inner_->remove(key, stop); });
}

}  // namespace hearth::store
