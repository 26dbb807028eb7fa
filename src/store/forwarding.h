// What decorators have in common.
#pragma once

#include <memory>

#include "store/object_store.h"

namespace hearth::store {

// Passes everything on to another store; a decorator overrides what it does otherwise.
class Forwarding : public ObjectStore {
 public:
  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override {
    return inner_->get(key, range, std::move(stop));
  }
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override {
    return inner_->put(key, body, condition, std::move(stop));
  }
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override { return inner_->stat(key, std::move(stop)); }
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override {
    return inner_->list(prefix, visit, std::move(stop));
  }
  Result<void> remove(const Key& key, std::stop_token stop) override { return inner_->remove(key, std::move(stop)); }
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override {
    return inner_->remove_each(keys, std::move(stop));
  }
  CompareAndSwap compare_and_swap() const override { return inner_->compare_and_swap(); }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override {
    return inner_->try_checksums(key, std::move(stop));
  }
  std::string description() const override { return inner_->description(); }

 protected:
  explicit Forwarding(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}
  ObjectStore& inner() const { return *inner_; }

 private:
  const std::shared_ptr<ObjectStore> inner_;
};

}  // namespace hearth::store
