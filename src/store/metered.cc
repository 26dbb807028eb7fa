#include "store/metered.h"

#include "store/body.h"

namespace hearth::store {

MeterReading Meter::read() const {
  MeterReading reading{{get_, put_, list_, stat_, remove_}, bytes_in_, bytes_out_, retries_, {}};
  if (has_tier_) reading.tier = {.hits = tier_hits_, .bytes = tier_bytes_, .misses = tier_misses_};
  return reading;
}

Result<Object> Metered::get(const Key& key, ByteRange range, std::stop_token stop) {
  ++meter_->get_;
  auto object = inner().get(key, range, std::move(stop));
  if (object) meter_->bytes_in_ += object->bytes.size();
  return object;
}

Result<Version> Metered::put(const Key& key, Body body, const Condition& condition, std::stop_token stop) {
  ++meter_->put_;
  auto version = inner().put(key, body, condition, std::move(stop));
  if (version) meter_->bytes_out_ += body_size(body).value_or(0);
  return version;
}

Result<ObjectInfo> Metered::stat(const Key& key, std::stop_token stop) {
  ++meter_->stat_;
  return inner().stat(key, std::move(stop));
}

Result<void> Metered::list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  ++meter_->list_;
  return inner().list(prefix, visit, std::move(stop));
}

Result<void> Metered::remove(const Key& key, std::stop_token stop) {
  ++meter_->remove_;
  return inner().remove(key, std::move(stop));
}

Result<void> Metered::remove_each(std::span<const Key> keys, std::stop_token stop) {
  ++meter_->remove_;
  return inner().remove_each(keys, std::move(stop));
}

}  // namespace hearth::store
