#include "util/hash.h"

#ifdef HEARTH_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace hearth::util {

namespace {

#ifdef HEARTH_IPSEC_MB

// A lone content is faster on its own.
constexpr std::size_t kLeastLanes = 4;
// The library's schedulers count in 16 bits.
constexpr std::size_t kLongest = 60 << 10;

// Hashes several contents in step, one in each lane of a vector register. Of one thread.
class Lanes {
 public:
  Lanes() : manager_(alloc_mb_mgr(0), &free_mb_mgr) {
    if (manager_) init_mb_mgr_auto(manager_.get(), nullptr);
    if (manager_ && imb_get_errno(manager_.get()) != 0) manager_.reset();
  }

  bool usable() const { return manager_ != nullptr; }

  void hash(std::span<const std::span<const std::byte>> contents, std::span<Digest> digests) {
    for (std::size_t i = 0; i < contents.size(); ++i) {
      if (contents[i].size() > kLongest) {
        digests[i] = sha256(contents[i]);
        continue;
      }
      IMB_JOB* job = IMB_GET_NEXT_JOB(manager_.get());
      *job = {};
      job->cipher_mode = IMB_CIPHER_NULL;
      job->cipher_direction = IMB_DIR_ENCRYPT;
      job->chain_order = IMB_ORDER_HASH_CIPHER;
      job->hash_alg = IMB_AUTH_SHA_256;
      job->src = reinterpret_cast<const std::uint8_t*>(contents[i].data());
      job->msg_len_to_hash_in_bytes = contents[i].size();
      job->auth_tag_output = reinterpret_cast<std::uint8_t*>(digests[i].bytes.data());
      job->auth_tag_output_len_in_bytes = digests[i].bytes.size();
      job->user_data = reinterpret_cast<void*>(i);
      for (job = IMB_SUBMIT_JOB(manager_.get()); job != nullptr; job = IMB_GET_COMPLETED_JOB(manager_.get())) {
        settle(*job, contents, digests);
      }
    }
    while (const IMB_JOB* job = IMB_FLUSH_JOB(manager_.get())) settle(*job, contents, digests);
  }

 private:
  // What the library refuses is hashed all the same.
  static void settle(const IMB_JOB& job, std::span<const std::span<const std::byte>> contents,
                     std::span<Digest> digests) {
    if (job.status == IMB_STATUS_COMPLETED) return;
    const auto index = reinterpret_cast<std::size_t>(job.user_data);
    digests[index] = sha256(contents[index]);
  }

  std::unique_ptr<IMB_MGR, decltype(&free_mb_mgr)> manager_;
};

bool in_lanes(std::span<const std::span<const std::byte>> contents, std::span<Digest> digests) {
  if (contents.size() < kLeastLanes) return false;
  thread_local Lanes lanes;
  if (!lanes.usable()) return false;
  lanes.hash(contents, digests);
  return true;
}

#else

bool in_lanes(std::span<const std::span<const std::byte>> /*contents*/, std::span<Digest> /*digests*/) {
  return false;
}

#endif

}  // namespace

std::vector<Digest> sha256_each(std::span<const std::span<const std::byte>> contents) {
  std::vector<Digest> digests(contents.size());
  if (in_lanes(contents, digests)) return digests;
  for (std::size_t i = 0; i < contents.size(); ++i) digests[i] = sha256(contents[i]);
  return digests;
}

}  // namespace hearth::util
