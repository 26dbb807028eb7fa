// From a URL to a store: the table of schemes, and the only place where decorators are stacked.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/transport.h"
#include "store/metered.h"
#include "store/object_store.h"
#include "store/tiered.h"

namespace hearth::store {

// A store and the counters of everything that was asked of it.
struct OpenStore {
  std::unique_ptr<ObjectStore> store;
  std::shared_ptr<const Meter> meter;
  std::string warning;  // what is not as it was asked for, and does no harm: a tier that cannot be used; "" for nothing
};

enum class Create { no, if_absent };

struct OpenOptions {
  Create create = Create::no;  // the bucket; the directory of a file:// store is made in any case
  http::Verification verification = http::Verification::full;  // of the server's certificate
  std::optional<TierOptions> tier;
  std::uint32_t transfers = 0;  // parts of one object that travel at a time; 0: what the URL says
  // How long whoever uses the store waits for one that does nothing; 0: that is not known. A request that makes no
  // progress is given up, and tried again, after half of that (30 s at most), unless the URL names its
  // progress-timeout.
  std::chrono::milliseconds stall{0};
};

// `url`: "file:///absolute/dir" (created when absent, 0700), an absolute path, or "SCHEME://bucket/prefix?…" with s3,
// gs, azblob or swift. An unknown scheme is invalid, and the message lists the known ones. A server is asked only where
// a bucket may have to be created; otherwise the first request finds out whether there is a usable one.
Result<OpenStore> open(std::string_view url, const OpenOptions& options = {});

// "file://" below $XDG_DATA_HOME/hearth/store, or below ~/.local/share where that is unset.
Result<std::string> default_url();

}  // namespace hearth::store
