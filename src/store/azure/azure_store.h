// Objects in a container of Azure Blob Storage, or of an emulator of it (azblob://).
#pragma once

#include <string>
#include <vector>

#include "store/azure/options.h"
#include "store/azure/requests.h"
#include "store/object_store.h"

namespace hearth::store::azure {

// The version is the ETag, which is another one after each write. Keys stand behind the store's prefix under names that
// Azure takes (names.h); names in the container that stand for no key are not listed. Each function makes one request,
// but for large puts (upload.h), listings (one for each page) and remove_each (one for each key, several at a time).
// Removal takes the snapshots of a blob along; versions and what soft deletion keeps stay as long as the account says.
// An absent container is invalid. So is the listing of an account with a hierarchical namespace once its order differs
// from the contract's.
class AzureStore : public ObjectStore {
 public:
  AzureStore(const AzureOptions& options, std::vector<CredentialProvider> providers)
      : options_(options), requests_(options, std::move(providers)) {}

  // Makes the container where it is absent, without public access.
  Result<void> create_bucket(const std::stop_token& stop);

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return CompareAndSwap::honoured; }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override;
  std::string description() const override { return options_.shown; }

 private:
  std::string name_of(const Key& key) const;

  const AzureOptions options_;
  Requests requests_;
};

}  // namespace hearth::store::azure
