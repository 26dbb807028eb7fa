#include "cache/tree/index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>

#include "cache/format/bytes.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::cache {

namespace {

constexpr std::string_view kIndexMagic = "hearth index 2\n";
constexpr std::size_t kRecordBytes = 6 * sizeof(std::uint64_t);
// What comes before the list of files is mostly some hundred bytes.
constexpr std::size_t kHeaderBytes = 16 << 10;
// No more than this is waited for the file system's clock to move on; common ones need 1 to 4 ms.
constexpr int kProbeTries = 12;
constexpr std::chrono::milliseconds kProbeStep{1};

// ctimes and inode numbers say nothing about files that a power cut may have emptied.
std::string boot_id() {
  return util::read_file("/proc/sys/kernel/random/boot_id", 4096).value_or("");
}

class Writer {
 public:
  void number(std::uint64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
  }
  void time(std::int64_t value) { number(static_cast<std::uint64_t>(value)); }
  void reserve(std::size_t more) { bytes_.reserve(bytes_.size() + more); }
  std::string finish() {
    bytes_ += util::sha256(bytes_).hex();
    return std::move(bytes_);
  }

 private:
  std::string bytes_{kIndexMagic};
};

// Reading past the end gives zeros and marks the reader as failed.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    const std::string_view bytes = take(sizeof value);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(number()); }
  std::int64_t time() { return static_cast<std::int64_t>(number()); }
  // A count of things of at least `least` bytes each.
  std::size_t count(std::size_t least) {
    const std::uint64_t value = number();
    if (value > rest_.size() / least) failed_ = true;
    return failed_ ? 0 : value;
  }
  bool failed() const { return failed_; }
  bool complete() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view take(std::uint64_t bytes) {
    if (failed_ || bytes > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

void write_record(Writer& writer, const FileStatus& status) {
  writer.number(status.device);
  writer.number(status.inode);
  writer.number(status.size);
  writer.time(status.mtime);
  writer.time(status.ctime);
  writer.number(status.mode);
}

FileStatus read_record(Reader& reader) {
  FileStatus status;
  status.device = reader.number();
  status.inode = reader.number();
  status.size = reader.number();
  status.mtime = reader.time();
  status.ctime = reader.time();
  status.mode = static_cast<std::uint32_t>(reader.number());
  return status;
}

// What comes before the lists.
Index read_header(Reader& reader) {
  Index index;
  const bool since_boot = reader.text() == boot_id();
  index.store = reader.text();
  index.head = reader.text();
  index.epoch = reader.text();
  index.generation = reader.text();
  index.probe = reader.time();
  if (!since_boot) index.probe = kNothingProved;
  index.directory.device = reader.number();
  index.directory.inode = reader.number();
  index.directory.born = reader.time();
  return index;
}

std::optional<Index> decode(std::string_view bytes) {
  Reader reader(bytes);
  Index index = read_header(reader);
  for (std::size_t left = reader.count(sizeof(std::uint64_t)); left > 0; --left) {
    std::optional<ObjectName> object = ObjectName::parse(reader.text());
    if (!object) return std::nullopt;
    index.damaged.push_back(std::move(*object));
  }
  index.files.resize(reader.count(kRecordBytes));
  for (FileStatus& status : index.files) status = read_record(reader);
  const std::span<const std::byte> manifest = as_bytes(reader.text());
  index.manifest.assign(manifest.begin(), manifest.end());
  if (!reader.complete()) return std::nullopt;
  return index;
}

std::optional<std::int64_t> ctime_of(const util::Fd& fd, std::uint64_t device) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || status.st_dev != device) return std::nullopt;
  return file_status(status).ctime;
}

// The ctime of a change that is made now.
std::optional<std::int64_t> ctime_now(const util::Fd& fd, std::uint64_t device) {
  if (!util::write_full(fd.get(), std::string_view("."))) return std::nullopt;
  return ctime_of(fd, device);
}

std::int64_t probe_with(const util::Fd& fd, std::uint64_t device) {
  const std::optional<std::int64_t> first = ctime_now(fd, device);
  if (!first) return kNothingProved;
  // Some file systems have no ctime of their own and show the mtime, which anybody can set back.
  constexpr timespec kLongAgo{.tv_sec = 1'000'000'000, .tv_nsec = 0};
  const std::array<timespec, 2> times = {kLongAgo, kLongAgo};
  if (::futimens(fd.get(), times.data()) != 0) return kNothingProved;
  const std::optional<std::int64_t> set_back = ctime_of(fd, device);
  if (!set_back || *set_back < *first) return kNothingProved;
  std::int64_t latest = *set_back;
  for (int tries = 0; latest == *first && tries < kProbeTries; ++tries) {
    std::this_thread::sleep_for(kProbeStep);
    const std::optional<std::int64_t> next = ctime_now(fd, device);
    if (!next || *next < latest) return kNothingProved;
    latest = *next;
  }
  return latest;
}

}  // namespace

std::optional<DirectoryMark> mark_of(const std::filesystem::path& directory) {
  struct statx status{};
  if (::statx(AT_FDCWD, directory.c_str(), AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &status) != 0) {
    return std::nullopt;
  }
  DirectoryMark mark{
      .device = ::makedev(status.stx_dev_major, status.stx_dev_minor), .inode = status.stx_ino, .born = 0};
  if ((status.stx_mask & STATX_BTIME) != 0) {
    mark.born = status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec;
  }
  return mark;
}

Result<void> write_index(const std::filesystem::path& path, const Index& index) {
  Writer writer;
  writer.reserve(index.files.size() * kRecordBytes + index.manifest.size() + 1024);
  writer.text(boot_id());
  writer.text(index.store);
  writer.text(index.head);
  writer.text(index.epoch);
  writer.text(index.generation);
  writer.time(index.probe);
  writer.number(index.directory.device);
  writer.number(index.directory.inode);
  writer.time(index.directory.born);
  writer.number(index.damaged.size());
  for (const ObjectName& object : index.damaged) writer.text(object.text());
  writer.number(index.files.size());
  for (const FileStatus& status : index.files) write_record(writer, status);
  writer.text(as_text(index.manifest));
  const std::filesystem::path temporary = path.native() + ".new";
  Result<void> written = util::write_file(temporary, writer.finish(), 0600);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail_errno(errno, fmt::format("writing {}", path.native()));
  }
  // It is as large as the cache has files.
  if (!written) ::unlink(temporary.c_str());
  return written;
}

std::optional<Index> read_index(const std::filesystem::path& path) {
  const Result<std::string> file = util::read_file(path);
  if (!file) return std::nullopt;
  std::string_view bytes = *file;
  constexpr std::size_t kDigestDigits = 2 * sizeof(util::Digest);
  if (!bytes.starts_with(kIndexMagic) || bytes.size() < kIndexMagic.size() + kDigestDigits) return std::nullopt;
  const std::string_view digest = bytes.substr(bytes.size() - kDigestDigits);
  bytes.remove_suffix(kDigestDigits);
  if (util::sha256(bytes).hex() != digest) return std::nullopt;
  return decode(bytes.substr(kIndexMagic.size()));
}

std::optional<DirectoryMark> peek_directory(const std::filesystem::path& path) {
  const Result<util::Fd> fd = util::open_file(path, O_RDONLY);
  if (!fd) return std::nullopt;
  std::string bytes(kHeaderBytes, '\0');
  const Result<std::size_t> count = util::read_at(fd->get(), std::as_writable_bytes(std::span(bytes)), 0);
  if (!count) return std::nullopt;
  bytes.resize(*count);
  if (!bytes.starts_with(kIndexMagic)) return std::nullopt;
  Reader reader(std::string_view(bytes).substr(kIndexMagic.size()));
  const Index index = read_header(reader);
  if (reader.failed()) return std::nullopt;
  return index.directory;
}

std::int64_t take_probe(const std::filesystem::path& probe, std::uint64_t device) {
  const Result<util::Fd> fd = util::open_file(probe, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  if (!fd) return kNothingProved;
  const std::int64_t result = probe_with(*fd, device);
  ::unlink(probe.c_str());
  return result;
}

}  // namespace hearth::cache
