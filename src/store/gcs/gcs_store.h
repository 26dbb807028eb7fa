// Objects in a bucket of Google Cloud Storage (gs://), by its JSON API.
#pragma once

#include <memory>
#include <vector>

#include "store/gcs/documents.h"
#include "store/gcs/options.h"
#include "store/gcs/requests.h"
#include "store/object_store.h"

namespace hearth::store::gcs {

// The version is the generation, which every write has of its own. Keys are names behind the store's prefix; names in
// the bucket that are no keys are not listed. Deleted is what a plain DELETE deletes: soft deletion and versions of the
// bucket keep it for as long as the bucket says. Each function makes one request, but for large puts (upload.h) and
// listings (one for 1,000 objects). What is read whole is checked against its CRC-32C: damaged bytes are unavailable.
// An absent bucket is invalid.
class GcsStore : public ObjectStore {
 public:
  GcsStore(const GcsOptions& options, std::vector<TokenProvider> providers)
      : options_(options), requests_(options, std::move(providers)) {}

  // Makes the bucket where it is absent. Somebody else's bucket of this name: denied. No project: invalid.
  Result<void> create_bucket(const std::stop_token& stop);

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  // Several at a time.
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return CompareAndSwap::honoured; }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override;
  std::string description() const override { return options_.shown; }

 private:
  std::string name_of(const Key& key) const { return options_.prefix + key.text(); }
  // `generation` may be empty.
  Result<ObjectInfo> stat_generation(const Key& key, const std::string& generation, const std::stop_token& stop);
  Result<ObjectInfo> info_of(const Key& key, const http::Answer& answer, const std::stop_token& stop);
  Result<void> visit_page(const ListPage& page, StoreTime now, const Visitor& visit) const;

  const GcsOptions options_;
  Requests requests_;
};

}  // namespace hearth::store::gcs
