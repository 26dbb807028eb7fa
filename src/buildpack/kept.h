// Fetched buildpacks that are kept on this machine for the next build.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "util/error.h"

namespace hearth::buildpack {

// A folder of trees, each under the hash of its URL and revision; the one that was used longest ago goes first when
// all of them are larger than the bound. Any number of processes may use one folder at once: a tree appears by one
// rename, and is locked (flock) while it is copied or removed.
class Kept {
 public:
  // An empty `folder` keeps nothing. It is made if it is absent, for us alone.
  Kept(std::filesystem::path folder, std::uint64_t bytes) : folder_(std::move(folder)), bytes_(bytes) {}

  // Copies the tree to the new directory `destination`; false if it is not kept (or just being removed).
  Result<bool> copy_out(const std::string& url, const std::string& revision, const std::filesystem::path& destination,
                        std::optional<uid_t> owner, std::stop_token stop) const;

  // Keeps a copy of the tree, and removes what is too much. Keeping what is kept already is success. `note` is kept
  // with it.
  Result<void> keep(const std::string& url, const std::string& revision, const std::filesystem::path& tree,
                    std::stop_token stop, const std::string& note = {}) const;

  // What was noted with the tree; empty if nothing was, or if it is not kept.
  std::string note(const std::string& url, const std::string& revision) const;

 private:
  Result<void> trim_to_bound() const;

  std::filesystem::path folder_;
  std::uint64_t bytes_;
};

}  // namespace hearth::buildpack
