#include "cache/directories.h"

#include <fcntl.h>

#include <cerrno>

namespace hearth::cache {

namespace {

// Enough for a path's ancestors and its neighbours, and few enough for a thread on each core below 1,024 descriptors.
constexpr std::size_t kOpenDirectories = 32;
constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

Result<Directories> Directories::open(const std::filesystem::path& root) {
  return Directories(std::make_shared<const util::Fd>(TRY(util::open_file(root, kDirectoryFlags))));
}

Directories::Directories(Handle root) : root_(std::move(root)) {}

Result<Directories::Handle> Directories::at(std::string_view path) {
  if (path.empty()) return root_;
  if (const auto found = by_path_.find(path); found != by_path_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->handle;
  }
  const Handle parent = TRY(at(parent_of(path)));
  const std::string name(name_of(path));
  if (name.empty() || name == "." || name == "..") return fail(ErrorKind::invalid, "\"{}\" leads elsewhere", path);
  util::Fd directory(::openat(parent->get(), name.c_str(), kDirectoryFlags));
  if (!directory) return fail_errno(errno, fmt::format("opening the directory {}", path));
  recent_.push_front({std::string(path), std::make_shared<const util::Fd>(std::move(directory))});
  by_path_.emplace(recent_.front().path, recent_.begin());
  if (recent_.size() > kOpenDirectories) {
    by_path_.erase(recent_.back().path);
    recent_.pop_back();
  }
  return recent_.front().handle;
}

}  // namespace hearth::cache
