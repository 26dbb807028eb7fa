#include "store/metered.h"

#include "store/body.h"

namespace hearth::store {

MeterReading Meter::read() const {
  return {{get_, put_, list_, stat_, remove_}, bytes_in_, bytes_out_, retries_};
}

Result<Object> Metered::get(const Key& key, ByteRange range, std::stop_token stop) {
  ++meter_->get_;
  auto object = inner_->get(key, range, std::move(stop));
  if (object) meter_->bytes_in_ += object->bytes.size();
  return object;
}

Result<Version> Metered::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  ++meter_->put_;
  auto version = inner_->put(key, body, condition, std::move(stop));
  if (version) meter_->bytes_out_ += body_size(body).value_or(0);
  return version;
}

Result<ObjectInfo> Metered::stat(const Key& key, std::stop_token stop) {
  ++meter_->stat_;
  return inner_->stat(key, std::move(stop));
}

Result<void> Metered::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  ++meter_->list_;
  return inner_->list(prefix, visit, std::move(stop));
}

Result<void> Metered::remove(const Key& key, std::stop_token stop) {
  ++meter_->remove_;
  return inner_->remove(key, std::move(stop));
}

Result<void> Metered::remove_each(std::span<const Key> keys, std::stop_token stop) {
  ++meter_->remove_;
  return inner_->remove_each(keys, std::move(stop));
}

}  // namespace hearth::store
