#include "cache/tree/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>

#include "cache/tree/local_error.h"
#include "util/file.h"

namespace hearth::cache {

namespace {

// As much is read faster than looked at before for holes; after it, the status has to be asked for anyway.
constexpr std::size_t kLittle = 64 << 10;
constexpr std::uint64_t kStatBlock = 512;  // the unit of st_blocks, whatever the file system's is

Result<struct stat> look_at(const util::Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_local(errno, "looking at it");
  return status;
}

// A file without fewer blocks than bytes has no holes; one with fewer may be compressed, too.
bool may_have_holes(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_blocks) * kStatBlock < static_cast<std::uint64_t>(status.st_size);
}

std::vector<Stretch> stretches_of(int fd, std::uint64_t offset, std::uint64_t length) {
  std::vector<Stretch> stretches;
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const off_t data = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
    // ENXIO: nothing but a hole up to the end of the file. Anything else: no support, so all is data.
    const bool no_data = data < 0 && errno == ENXIO;
    std::uint64_t begin = no_data ? end : data < 0 ? offset : std::min(static_cast<std::uint64_t>(data), end);
    if (begin > offset) stretches.push_back({Stretch::Kind::hole, begin - offset});
    if (begin == end) break;
    const off_t hole = ::lseek(fd, static_cast<off_t>(begin), SEEK_HOLE);
    const std::uint64_t stop = hole < 0 ? end : std::min(static_cast<std::uint64_t>(hole), end);
    if (stop <= begin) {
      // The file is being changed; the status will tell.
      stretches.push_back({Stretch::Kind::data, end - begin});
      break;
    }
    stretches.push_back({Stretch::Kind::data, stop - begin});
    offset = stop;
  }
  return stretches;
}

// False: the file has become shorter.
Result<bool> read_stretches(int fd, std::uint64_t offset, std::span<std::byte> room, FilePart& part) {
  std::span<std::byte> rest(room);
  for (const Stretch& stretch : part.stretches) {
    if (stretch.kind == Stretch::Kind::data) {
      const std::size_t count = TRY(util::read_at(fd, rest.first(stretch.length), offset));
      if (count < stretch.length) return false;
      rest = rest.subspan(count);
    }
    offset += stretch.length;
  }
  part.bytes = room.first(room.size() - rest.size());
  return true;
}

}  // namespace

util::Fd FileReader::open(const Directories::Place& place) {
  // O_NONBLOCK: what is a pipe by now must not hold us up.
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = ::openat(place.directory->get(), place.name.c_str(), kFlags | quietly_);
  if (fd < 0 && errno == EPERM && quietly_ != 0) {
    // Only the owner of a file may ask for that; whose files these are is mostly the same for all of them.
    quietly_ = 0;
    fd = ::openat(place.directory->get(), place.name.c_str(), kFlags);
  }
  return util::Fd(fd);
}

Result<FilePart> FileReader::read(const Path& path, const FileStatus& expected, std::uint64_t offset,
                                  std::span<std::byte> room) {
  FilePart part;
  const Result<Directories::Place> place = directories_.place_of(path);
  const util::Fd fd = place ? open(*place) : util::Fd();
  if (!place && place.error().kind != ErrorKind::not_found) return std::unexpected(place.error());
  if (!place || (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))) {
    part.outcome = ReadOutcome::vanished;
    return part;
  }
  if (!fd) return fail_local(errno, fmt::format("reading {}", path));
  const auto read_it = [&]() -> Result<bool> {
    bool sparse = room.size() > kLittle && may_have_holes(TRY(look_at(fd)));
    while (true) {
      part.stretches = {{Stretch::Kind::data, room.size()}};
      if (sparse) part.stretches = stretches_of(fd.get(), offset, room.size());
      const Result<bool> whole = read_stretches(fd.get(), offset, room, part);
      const struct stat after = TRY(look_at(fd));
      if (file_status(after) != expected) return false;
      if (!whole || !*whole || sparse || !may_have_holes(after)) return whole;
      sparse = true;
    }
  };
  const bool good = TRY(within(path.text(), read_it()));
  if (!good) part.outcome = ReadOutcome::changed;
  return part;
}

}  // namespace hearth::cache
