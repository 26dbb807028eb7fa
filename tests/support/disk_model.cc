#include "support/disk_model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

namespace hearth::support {

namespace fs = std::filesystem;

namespace {

constexpr int kDirectory = -1;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

void put_on_disk(const DiskState& state, const fs::path& directory) {
  for (const auto& [path, file] : state) {
    const fs::path place = directory / path;
    if (file.is_directory) {
      fs::create_directory(place);
      continue;
    }
    std::ofstream(place, std::ios::binary) << file.bytes;
    const std::array<timespec, 2> times = {file.modified, file.modified};
    ::utimensat(AT_FDCWD, place.c_str(), times.data(), 0);
  }
}

std::string DiskRecorder::relative(const fs::path& path) const {
  const std::string text = path.lexically_relative(root()).native();
  return text == "." ? "" : text;
}

bool DiskRecorder::is_content(const Event& event) {
  return event.kind == Kind::write || event.kind == Kind::resize || event.kind == Kind::times;
}

void DiskRecorder::record(Event event) {
  const auto makes_durable = [&](const Event& earlier) {
    if (event.kind == Kind::sync_file) return is_content(earlier) && earlier.file == event.file;
    return event.kind == Kind::sync_directory && !is_content(earlier) &&
           parent_of(earlier.kind == Kind::rename ? earlier.to : earlier.path) == event.path;
  };
  for (Event& earlier : events_) {
    if (earlier.synced_at == SIZE_MAX && makes_durable(earlier)) earlier.synced_at = events_.size();
  }
  events_.push_back(std::move(event));
}

bool DiskRecorder::is_durable(const Event& event, std::size_t cut, Syncs syncs) {
  if (syncs == (is_content(event) ? Syncs::none_of_files : Syncs::none_of_directories)) return false;
  return event.synced_at < cut;
}

std::size_t DiskRecorder::size() const {
  const std::scoped_lock lock(mutex_);
  return events_.size();
}

void DiskRecorder::after(const FileCall& call) {
  const std::scoped_lock lock(mutex_);
  struct stat status{};
  if (call.fd >= 0 && ::fstat(call.fd, &status) != 0) std::abort();
  Event event{.path = relative(call.path), .to = {}, .bytes = {}};
  const auto known = files_.find(status.st_ino);
  if (known != files_.end()) event.file = known->second;
  switch (call.kind) {
    case FileCall::Kind::open:
      if (!call.creates || names_.contains(event.path)) return;
      event.kind = Kind::create;
      event.file = names_[event.path] = files_[status.st_ino] = next_file_++;
      break;
    case FileCall::Kind::write:
      event.kind = Kind::write;
      event.offset = call.offset;
      event.bytes = call.bytes;
      break;
    case FileCall::Kind::resize:
      event.kind = Kind::resize;
      event.offset = static_cast<std::uint64_t>(call.size);
      break;
    case FileCall::Kind::times:
      event.kind = Kind::times;
      event.modified = status.st_mtim;
      break;
    case FileCall::Kind::sync:
      event.kind = S_ISDIR(status.st_mode) ? Kind::sync_directory : Kind::sync_file;
      break;
    case FileCall::Kind::make_directory:
      event.kind = Kind::make_directory;
      names_[event.path] = kDirectory;
      break;
    case FileCall::Kind::rename:
      event.kind = Kind::rename;
      event.to = relative(call.to);
      event.file = names_.at(event.path);
      names_[event.to] = event.file;
      names_.erase(event.path);
      break;
    case FileCall::Kind::remove:
    case FileCall::Kind::remove_directory:
      event.kind = Kind::remove;
      event.file = names_.at(event.path);
      names_.erase(event.path);
      break;
    case FileCall::Kind::attributes:
    case FileCall::Kind::look:
      return;
    case FileCall::Kind::link:
    case FileCall::Kind::symlink:
      std::abort();  // nobody who was recorded until now makes any
  }
  record(std::move(event));
}

// What has happened until now.
struct DiskRecorder::Replay {
  std::map<std::string, int> names;
  std::map<int, DiskFile> files;

  bool is_there(const std::string& folder) const {
    const auto found = names.find(folder);
    return folder.empty() || (found != names.end() && found->second == kDirectory);
  }

  void name(const std::string& path, int file) {
    if (is_there(parent_of(path))) names.insert_or_assign(path, file);
  }

  void forget(const std::string& path, int file) {
    const auto found = names.find(path);
    if (found == names.end() || found->second != file) return;
    const auto next = names.upper_bound(path + "/");
    const bool empty = next == names.end() || !next->first.starts_with(path + "/");
    if (file != kDirectory || empty) names.erase(found);
  }

  void apply(const Event& event, bool as_zeros) {
    std::string& bytes = files[event.file].bytes;
    switch (event.kind) {
      case Kind::create:
        return name(event.path, event.file);
      case Kind::make_directory:
        return name(event.path, kDirectory);
      case Kind::rename:
        if (!is_there(parent_of(event.to))) return;
        forget(event.path, event.file);
        return name(event.to, event.file);
      case Kind::remove:
        return forget(event.path, event.file);
      case Kind::write:
        bytes.resize(std::max(bytes.size(), event.offset + event.bytes.size()));
        bytes.replace(event.offset, event.bytes.size(), as_zeros ? std::string(event.bytes.size(), '\0') : event.bytes);
        return;
      case Kind::resize:
        return bytes.resize(event.offset);
      case Kind::times:
        files[event.file].modified = event.modified;
        return;
      case Kind::sync_file:
      case Kind::sync_directory:
        return;
    }
  }
};

DiskState DiskRecorder::state_after_cut(std::size_t cut, Unsynced unsynced, Syncs syncs,
                                        std::minstd_rand& random) const {
  Replay replay;
  for (std::size_t index = 0; index < cut; ++index) {
    const Event& event = events_[index];
    bool happened = unsynced == Unsynced::kept || is_durable(event, cut, syncs);
    bool as_zeros = false;
    if (!happened && unsynced == Unsynced::random) {
      happened = random() % 2 == 0;
      as_zeros = random() % 2 == 0;
    } else if (!happened && unsynced != Unsynced::lost) {
      happened = !is_content(event) || unsynced == Unsynced::names_and_zeros;
      as_zeros = is_content(event);
    }
    if (happened) replay.apply(event, as_zeros);
  }
  DiskState state;
  for (const auto& [path, file] : replay.names) {
    // Below a directory whose own name was lost nothing can be reached.
    if (!replay.is_there(parent_of(path))) continue;
    state[path] = file == kDirectory ? DiskFile{.is_directory = true, .bytes = {}} : replay.files[file];
  }
  return state;
}

}  // namespace hearth::support
