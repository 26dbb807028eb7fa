// The contents of files of a generation, one after the other, as a stream: for those who want bytes and no directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "cache/generations/inspect.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// For one thread at a time; fetches some blocks ahead in threads of its own. Every block is verified before any byte of
// it is handed out; a damaged one is fetched once more. Memory: twelve blocks at most.
class ContentReader {
 public:
  // All that is given outlives the reader. `files` are the indices of the entries whose content will be read, in that
  // order; others may be, but then nothing is fetched ahead.
  ContentReader(store::ObjectStore& store, const Layout& layout, const OpenedGeneration& opened,
                const std::vector<std::uint32_t>& files, const std::stop_token& stop);
  // Ends what is still being fetched.
  ~ContentReader();
  ContentReader(const ContentReader&) = delete;
  ContentReader& operator=(const ContentReader&) = delete;

  // From now on read() gives the content of this entry: a file, or a hard link to one. All others have none.
  void open(std::uint32_t index);

  // The next bytes, holes as zeros; fewer than asked for only at the content's end. corrupt: a pack is missing or
  // damaged. Other errors are the store's, and cancelled.
  Result<std::size_t> read(std::span<std::byte> into);

 private:
  using Bytes = std::vector<std::byte>;
  using Fetched = std::shared_future<Result<std::shared_ptr<const Bytes>>>;
  struct Held {
    std::uint32_t block = 0;
    Fetched bytes;
    bool used = false;
  };

  void plan(const Entry& file);
  Result<std::shared_ptr<const Bytes>> block(std::uint32_t index);
  Held& held(std::uint32_t index);
  void fetch_ahead();
  Result<std::shared_ptr<const Bytes>> fetch(std::uint32_t index) const;

  store::ObjectStore& store_;
  const Layout& layout_;
  const OpenedGeneration& opened_;
  std::stop_source ended_;
  std::stop_callback<std::function<void()>> pass_on_;
  std::vector<std::uint32_t> order_;  // blocks as they will be needed
  std::size_t ahead_ = 0;             // how many of them have been asked for
  std::list<Held> held_;              // what was used or asked for last is in front

  std::span<const Extent> extents_;  // of the content that is being read: what is left, the first one in part
  std::uint64_t offset_ = 0;         // in the first one
};

}  // namespace hearth::cache
