// From the built app to a slug file within its limits.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <stop_token>

#include "build/failures.h"
#include "build/log.h"
#include "build/report.h"

namespace hearth::build {

struct PackagingRequest {
  std::filesystem::path app_dir;
  std::filesystem::path file;    // the slug
  std::uint64_t soft_limit = 0;  // bytes
  int level = 0;                 // of slug::Options
};

// Applies .slugignore-post, writes the slug and says how large it is; above the soft limit it names the largest
// directories.
std::expected<SlugReport, Failure> make_slug(const PackagingRequest& request, Log& log, std::stop_token stop);

// Applies the app's ignore file (.slugignore before the build, .slugignore-post after it) to its directory.
Step apply_ignore_file(const std::filesystem::path& app_dir, const std::string& name, Log& log);

// Moves (or copies) a slug that could not be published to `directory`, as `name`. The value is where it is now.
Result<std::filesystem::path> keep_slug(const std::filesystem::path& slug, const std::filesystem::path& directory,
                                        const std::string& name);

// Copies a slug to `target`: a file, or "-", our standard output. A regular file is there, or replaced, only once it is
// whole; one that is replaced leaves its mode to the new one, and its owner and group where we may give files away.
// Written in place, and left as it is when that ends early: what is no regular file, a file that no other can take the
// place of (a mount, a folder that is shut to us), and what a link that leads nowhere names. Whether a pipe has a
// reader yet does not matter. cancelled: not all of it was written, or read, when `stop` came.
Result<void> hand_out(const std::filesystem::path& slug, const std::string& target, const std::stop_token& stop);

}  // namespace hearth::build
