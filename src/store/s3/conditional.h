// PUT under a condition, on servers that differ in whether and how they understand one.
#pragma once

#include <atomic>
#include <stop_token>
#include <string>

#include "store/object_store.h"
#include "store/s3/options.h"
#include "store/s3/requests.h"

namespace hearth::store::s3 {

// Learns, and remembers for the life of the store:
//  - whether conditions are honoured. Before the first conditional put, the same bytes are put on the condition that
//    the object has an ETag which it cannot have. A server that accepts this does as if every condition held; the put
//    has happened then, as it would have in any case. Amazon is not asked.
//  - whether an ETag in If-Match stands in quotes (Amazon, MinIO) or not (Ceph): a 412 while the object still is the
//    expected one means the other form.
// Thread-safe.
class ConditionalPuts {
 public:
  ConditionalPuts(Requests& requests, const S3Options& options)
      : requests_(requests),
        bucket_(options.bucket),
        known_(options.is_amazon ? Knowledge::honoured : Knowledge::unknown) {}

  CompareAndSwap compare_and_swap() const {
    return known_ == Knowledge::ignored ? CompareAndSwap::absent : CompareAndSwap::honoured;
  }

  // `call` is the whole put but for the condition, which is one; `store` and `key` are where it goes, to look after an
  // answer that leaves open what happened.
  Result<Version> put(const Call& call, const Condition& condition, ObjectStore& store, const Key& key,
                      const Body& body, const std::stop_token& stop);

 private:
  enum class Knowledge { unknown, honoured, ignored };

  // The version if the server took a put that it had to refuse; absent if it is to be put properly now.
  Result<std::optional<Version>> ask(const Call& call, const std::stop_token& stop);
  Result<http::Answer> send(Call call, const Condition& condition, bool quoted, const std::stop_token& stop);

  Requests& requests_;
  const std::string bucket_;
  std::atomic<Knowledge> known_;
  std::atomic<bool> quoted_ = true;
};

}  // namespace hearth::store::s3
