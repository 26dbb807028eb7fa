#include "cache/tree/directories.h"

#include <fcntl.h>

#include <cerrno>

#include "cache/tree/local_error.h"

namespace hearth::cache {

namespace {

// Enough for a path's ancestors and its neighbours, and few enough for a thread on each core below 1,024 descriptors.
constexpr std::size_t kOpenDirectories = 32;

}  // namespace

Result<Directories> Directories::open(const std::filesystem::path& root) {
  return Directories(std::make_shared<const util::Fd>(TRY(util::open_file(root, util::kDirectoryFlags))));
}

Directories::Directories(Handle root) : root_(std::move(root)) {}

Result<Directories::Place> Directories::place_of(const Path& path) {
  const std::string_view name = path.name();
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos) {
    return fail(ErrorKind::invalid, "\"{}\" leads elsewhere", path);
  }
  Handle directory = TRY(at(path.directory()));
  return Place{std::move(directory), std::string(name)};
}

Result<Directories::Handle> Directories::at(std::string_view path) {
  if (path.empty()) return root_;
  if (!recent_.empty() && recent_.front().path == path) return recent_.front().handle;
  if (const auto found = by_path_.find(path); found != by_path_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->handle;
  }
  const Place place = TRY(place_of(path));
  util::Fd directory(::openat(place.directory->get(), place.name.c_str(), util::kDirectoryFlags));
  if (!directory) return fail_local(errno, fmt::format("opening the directory {}", path));
  recent_.push_front({std::string(path), std::make_shared<const util::Fd>(std::move(directory))});
  by_path_.emplace(recent_.front().path, recent_.begin());
  if (recent_.size() > kOpenDirectories) {
    by_path_.erase(recent_.back().path);
    recent_.pop_back();
  }
  return recent_.front().handle;
}

}  // namespace hearth::cache
