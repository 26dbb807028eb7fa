// A generation as the bytes of a tar, without a directory in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/generations/inspect.h"
#include "cache/operator/content_reader.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/gnu_tar.h"

namespace hearth::cache {

// Deterministic: the same generation gives the same bytes. Members are "./", with the directory's own mode and time,
// and "./…" in bytewise order; hard links are kept, holes filled, times in nanoseconds, owner and group 0.
class GenerationTar {
 public:
  // All that is given outlives the tar.
  GenerationTar(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& opened,
                const std::stop_token& stop);

  // The next bytes; fewer than asked for only at the end. Errors: ContentReader's, with the path.
  Result<std::size_t> read(std::span<std::byte> into);

 private:
  void next_member();
  util::Member describe(const Entry& entry) const;

  const OpenedGeneration& opened_;
  ContentReader content_;
  std::size_t next_ = 0;  // entry
  std::string pending_;   // headers and padding still to be read
  std::size_t pending_done_ = 0;
  std::uint64_t content_left_ = 0;
  std::size_t padding_ = 0;  // behind the content
  bool ended_ = false;
};

}  // namespace hearth::cache
