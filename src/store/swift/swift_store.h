// Objects in a container of OpenStack Swift, or of a server that speaks its protocol (swift://).
#pragma once

#include <string>
#include <vector>

#include "store/object_store.h"
#include "store/swift/options.h"
#include "store/swift/requests.h"

namespace hearth::store::swift {

// The version is the ETag, which is the MD5 of most contents: the same bytes put twice have the same version. Keys are
// names behind the store's prefix; one that is not UTF-8 is refused by the server. Swift has no compare-and-swap:
// if_absent is sent along, and honoured by some servers while no other writer races; if_version is compared before the
// put. Swift is eventually consistent: a listing, and a read after a replacement, may be behind for a while.
// A removal also takes the object's segments, also those of uploads that were cut off, and costs a listing for that; an
// object that is replaced keeps its old segments until it is removed. An absent container is invalid.
class SwiftStore : public ObjectStore {
 public:
  explicit SwiftStore(const SwiftOptions& options) : options_(options), requests_(options) {}

  // Makes the container where it is absent.
  Result<void> create_bucket(const std::stop_token& stop);

  Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) override;
  Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) override;
  Result<ObjectInfo> stat(const Key& key, std::stop_token stop) override;
  Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) override;
  Result<void> remove(const Key& key, std::stop_token stop) override;
  Result<void> remove_each(std::span<const Key> keys, std::stop_token stop) override;
  CompareAndSwap compare_and_swap() const override { return CompareAndSwap::absent; }
  Result<Checksums> try_checksums(const Key& key, std::stop_token stop) override;
  std::string description() const override { return options_.shown; }

 private:
  std::string name_of(const Key& key) const { return options_.prefix + key.text(); }
  Result<void> check_version(const Key& key, const Version& version, const std::stop_token& stop);
  Result<Version> put_named(const std::string& name, const Body& body, const http::Headers& headers,
                            const std::stop_token& stop);
  Result<ObjectInfo> listed_info(const Key& key, const ListedObject& object, StoreTime now,
                                 const std::stop_token& stop);

  const SwiftOptions options_;
  Requests requests_;
};

}  // namespace hearth::store::swift
