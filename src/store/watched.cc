#include "store/watched.h"

namespace hearth::store {

// One request, from its begin to its return.
class Watched::Flight {
 public:
  explicit Flight(Watched& owner) : owner_(owner) {
    ++owner_.steps_;
    ++owner_.in_flight_;
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight() {
    --owner_.in_flight_;
    ++owner_.steps_;
  }

 private:
  Watched& owner_;
};

Activity Watched::activity() const {
  return {in_flight_, steps_ + (meter_ ? meter_->moved() : 0)};
}

Result<Object> Watched::get(const Key& key, ByteRange range, std::stop_token stop) {
  const Flight flight(*this);
  return inner().get(key, range, std::move(stop));
}

Result<Version> Watched::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  const Flight flight(*this);
  return inner().put(key, body, condition, std::move(stop));
}

Result<ObjectInfo> Watched::stat(const Key& key, std::stop_token stop) {
  const Flight flight(*this);
  return inner().stat(key, std::move(stop));
}

Result<void> Watched::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  const Flight flight(*this);
  const Visitor counting = [&](const ObjectInfo& info) {
    ++steps_;
    return visit(info);
  };
  return inner().list(prefix, counting, std::move(stop));
}

Result<void> Watched::remove(const Key& key, std::stop_token stop) {
  const Flight flight(*this);
  return inner().remove(key, std::move(stop));
}

Result<void> Watched::remove_each(std::span<const Key> keys, std::stop_token stop) {
  const Flight flight(*this);
  return inner().remove_each(keys, std::move(stop));
}

}  // namespace hearth::store
