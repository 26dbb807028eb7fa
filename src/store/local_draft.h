// A file of LocalStore that is being written and cannot be seen as an object yet.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "store/local_tree.h"
#include "store/object_store.h"
#include "util/file.h"

namespace hearth::store {

// Removed by the destructor unless it was published. While it lives it holds a flock on its file, by which
// remove_dead_drafts tells it from what a killed writer left.
class Draft {
 public:
  // In this folder, which is there.
  static Result<Draft> create(const Place& folder);
  Draft(Draft&& other) noexcept
      : folder_(std::move(other.folder_)),
        name_(std::exchange(other.name_, {})),
        fd_(std::move(other.fd_)),
        durable_(other.durable_) {}
  Draft& operator=(Draft&&) = delete;
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft();

  Result<void> append(std::span<const std::byte> bytes);

  // Sets the modification time to a random moment of the second `now`.
  Result<void> stamp(StoreTime now);

  // Makes the modification time later than `other`'s; on a file system with coarse times, by up to 2 s.
  Result<void> make_newer_than(const struct stat& other);

  // Makes content and time durable; nothing to do if nothing has changed since the last time.
  Result<void> sync();

  // Moves it there; from here it is an object, with this version. On failure the draft stays what it was.
  Result<Version> publish(const Place& place);

 private:
  Draft(util::Fd folder, std::string name, util::Fd fd)
      : folder_(std::move(folder)), name_(std::move(name)), fd_(std::move(fd)) {}

  Result<struct stat> status() const;
  Result<void> set_time(timespec modified);

  util::Fd folder_;
  std::string name_;  // "" once it is published
  util::Fd fd_;
  bool durable_ = false;
};

// Removes the drafts in `folder` that nobody has locked and that were last written at least `age` before `now`. What
// cannot be removed is left for another time.
void remove_dead_drafts(const Place& folder, StoreTime now, std::chrono::seconds age);

}  // namespace hearth::store
