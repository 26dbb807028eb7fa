// Objects in a bucket of Amazon S3, or of a server that speaks its protocol (s3://).
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "store/object_store.h"
#include "store/s3/conditional.h"
#include "store/s3/documents.h"
#include "store/s3/options.h"
#include "store/s3/requests.h"

namespace hearth::store::s3 {

// The version is the ETag, which is the MD5 of most contents: the same bytes put twice have the same version. Keys are
// names behind the store's prefix, byte for byte; names in the bucket that are no keys are not listed. Deleted is what
// a plain DELETE deletes: in a versioned bucket old versions stay until a rule of the bucket removes them. Each
// function makes one request, but for large puts (upload.h), conditional ones (conditional.h) and listings (one for
// 1,000 objects). An absent bucket is invalid.
class S3Store : public ObjectStore {
 public:
  S3Store(const S3Options& options, std::vector<CredentialProvider> providers)
      : options_(options), requests_(options, std::move(providers)), conditional_(requests_, options) {}

  // Makes the bucket where it is absent, in the options' region. Somebody else's bucket of this name: denied.
  Result<void> create_bucket(const std::stop_token& stop);

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return conditional_.compare_and_swap(); }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override;
  std::string description() const override { return options_.shown; }

 private:
  std::string name_of(const Key& key) const { return options_.prefix + key.text(); }
  Result<void> visit_page(const ListPage& page, StoreTime now, const Visitor& visit) const;
  Result<void> remove_batch(std::span<const Key> keys, const std::stop_token& stop);

  const S3Options options_;
  Requests requests_;
  ConditionalPuts conditional_;
  std::atomic<bool> deletes_in_bulk_ = true;  // until the server says that it cannot
};

}  // namespace hearth::store::s3
