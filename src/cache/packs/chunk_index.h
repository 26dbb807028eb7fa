// Which content the base generation holds, by its digest.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/hash.h"

namespace hearth::cache {

// Immutable; for any number of threads.
class ChunkIndex {
 public:
  // A pack that is missing, or whose trailer is not what it should be.
  struct DamagedPack {
    ObjectName pack;
    std::string problem;  // with the pack's name
  };
  struct Failure {
    Error error;                       // corrupt where packs are damaged; else the store's
    std::vector<DamagedPack> damaged;  // all that are among the wanted ones; empty for an error of the store
  };

  ChunkIndex() = default;

  // Fetches the trailers of the packs for which `wanted` (indexed as Manifest::packs) is true; of a manifest with
  // inline bytes everything is hashed that can be unpacked.
  static std::expected<ChunkIndex, Failure> load(store::ObjectStore& store, const Layout& layout,
                                                 const std::string& epoch, const Manifest& manifest,
                                                 const std::vector<bool>& wanted, const std::stop_token& stop);

  // Where content with this digest and length lies; `preferred` if it is there too.
  std::optional<Extent> find(const util::Digest& digest, std::uint64_t length,
                             const std::optional<Extent>& preferred) const;

  // A chunk, and where it lies.
  struct Known {
    util::Digest digest;
    std::uint32_t block = 0;  // index into Manifest::blocks
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  // All of them, by block and offset.
  std::vector<Known> by_place() const;

 private:
  explicit ChunkIndex(std::vector<Known> known);
  std::size_t share_of(const util::Digest& digest) const;
  static std::vector<Known> of_inline(const Manifest& manifest);
  // `blocks` are those of the pack, by their offsets.
  static Result<std::vector<Known>> of_pack(store::ObjectStore& store, const store::Key& key, const Manifest& manifest,
                                            std::uint32_t pack, std::span<const std::uint32_t> blocks,
                                            const std::stop_token& stop);

  std::vector<Known> known_;  // sorted by digest
  unsigned bits_ = 0;
  std::vector<std::uint32_t> starts_;  // in known_, of those whose digests begin with the same bits_ bits; and the end
};

}  // namespace hearth::cache
