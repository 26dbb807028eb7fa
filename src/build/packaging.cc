#include "build/packaging.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <vector>

#include "slug/slug.h"
#include "util/file.h"
#include "util/plural.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNamedDirectories = 5;
constexpr std::size_t kCopyPiece = std::size_t{1} << 20;
constexpr mode_t kNewMode = 0644;  // less what the umask takes
constexpr int kReaderStep = 100;   // milliseconds, after which a stop is looked for

void warn_of_size(const PackagingRequest& request, const slug::Slug& slug, Log& log) {
  log.warning(fmt::format("The slug is larger than {}: apps start slowly from such slugs. Largest directories:",
                          util::human_size(request.soft_limit)));
  for (const auto& [directory, bytes] : slug::largest_directories(request.app_dir, kNamedDirectories)) {
    log.warning(fmt::format("  {:>8}  {}", util::human_size(bytes), directory));
  }
  log.warning("What the app does not need at run time can be left out with .slugignore-post.");
  log.note(fmt::format("slug: {} bytes, soft limit {}", slug.bytes, request.soft_limit));
}

Result<void> unless_stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "it was stopped");
  return {};
}

// Until somebody has room for what a pipe takes at once: a reader that stalls must not hold a stop up.
Result<void> await_reader(int fd, const std::stop_token& stop) {
  pollfd reader{.fd = fd, .events = POLLOUT, .revents = 0};
  do {
    TRY(unless_stopped(stop));
  } while (::poll(&reader, 1, kReaderStep) <= 0);
  return {};
}

Result<void> copy(const util::Fd& from, int to, const std::stop_token& stop) {
  if (::lseek(from.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  struct stat status{};
  const bool is_file = ::fstat(to, &status) == 0 && S_ISREG(status.st_mode);
  // A pipe that has room may have no more than this; a file has it always.
  const std::size_t most = is_file ? kCopyPiece : PIPE_BUF;
  std::vector<std::byte> buffer(kCopyPiece);
  while (true) {
    const std::size_t count = TRY(util::read_full(from.get(), buffer));
    if (count == 0) return {};
    for (std::span<const std::byte> left = std::span(buffer).first(count); !left.empty();) {
      TRY(await_reader(to, stop));
      const std::size_t piece = std::min(left.size(), most);
      TRY(util::write_full(to, left.first(piece)));
      left = left.subspan(piece);
    }
  }
}

// O_NONBLOCK: no stop ends an open that waits for a pipe's reader (ENXIO), or for the end of a lease (EAGAIN).
Result<util::Fd> open_in_place(const fs::path& file, int flags, const std::stop_token& stop) {
  while (true) {
    TRY(unless_stopped(stop));
    util::Fd fd(::open(file.c_str(), flags | O_WRONLY | O_TRUNC | O_NONBLOCK | O_CLOEXEC, kNewMode));
    const int code = errno;
    if (fd) {
      // From here on await_reader waits; a write that finds less room than it was told of is to block.
      const int now = ::fcntl(fd.get(), F_GETFL);
      if (now < 0 || ::fcntl(fd.get(), F_SETFL, now & ~O_NONBLOCK) != 0) return fail_errno(errno, "fcntl");
      return fd;
    }
    std::error_code error;
    // Of a socket or a device, ENXIO is the last word.
    const bool is_unread = code == ENXIO && fs::is_fifo(file, error);
    if (!is_unread && code != EAGAIN && code != EINTR) {
      return fail_errno(code, fmt::format("opening {}", file.native()));
    }
    ::poll(nullptr, 0, kReaderStep);
  }
}

Result<void> write_in_place(const fs::path& file, int flags, const util::Fd& slug, const std::stop_token& stop) {
  const util::Fd to = TRY(open_in_place(file, flags, stop));
  return copy(slug, to.get(), stop);
}

// Gives the new file the old one's mode, and its owner and group as far as we may. errno says why it is false.
bool take_over(const struct stat& old, int fd) {
  mode_t mode = old.st_mode & ACCESSPERMS;
  constexpr auto kSame = static_cast<uid_t>(-1);
  if (::fchown(fd, old.st_uid, old.st_gid) != 0 && ::fchown(fd, kSame, old.st_gid) != 0) {
    // Another group, other members: whoever is in one of them has what both the old group and the others had.
    const mode_t common = mode & (mode >> 3) & S_IRWXO;
    mode = (mode & S_IRWXU) | (common << 3) | common;
  }
  return ::fchmod(fd, mode) == 0;
}

// Puts the slug at `file`, a path without links, where a regular file of this status was, or nothing.
Result<void> replace(const fs::path& file, const std::optional<struct stat>& old, const util::Fd& slug,
                     const std::stop_token& stop) {
  const std::string part = fmt::format("{}.{}.part", file.native(), util::random_hex(4));
  const auto otherwise = [&](int code, std::string_view what) -> Result<void> {
    // A file that a container was given, or that alone is ours in its folder, can only be written where it is. Where
    // there is no room, that would only lose it.
    if (old && code != ENOSPC && code != EDQUOT) return write_in_place(file, 0, slug, stop);
    return fail_errno(code, fmt::format("{} {}", what, part));
  };
  // Until it is known who may read it, nobody else may.
  const mode_t mode = old ? S_IRUSR | S_IWUSR : kNewMode;
  util::Fd to(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!to) return otherwise(errno, "opening");
  const Result<void> written = copy(slug, to.get(), stop);
  const bool is_there = written && (!old || take_over(*old, to.get())) && ::rename(part.c_str(), file.c_str()) == 0;
  const int code = errno;
  to.close();  // what is removed takes no room from what is written now
  if (!is_there) ::unlink(part.c_str());
  return is_there || !written ? written : otherwise(code, "renaming");
}

Result<void> write_to(const std::string& target, const util::Fd& slug, const std::stop_token& stop) {
  struct stat status{};
  if (::lstat(target.c_str(), &status) != 0) return replace(target, std::nullopt, slug, stop);
  // A link that leads nowhere: only open(2) knows where to make what it names.
  if (::stat(target.c_str(), &status) != 0) return write_in_place(target, O_CREAT, slug, stop);
  std::error_code error;
  const fs::path file = fs::canonical(target, error);
  // A pipe, a device, and what has no name of its own (/dev/stdout may be such) are written as they are.
  if (error || !S_ISREG(status.st_mode)) return write_in_place(target, 0, slug, stop);
  return replace(file, status, slug, stop);
}

}  // namespace

Step apply_ignore_file(const fs::path& app_dir, const std::string& name, Log& log) {
  const Result<std::uint64_t> removed = slug::apply_ignore_file(app_dir, name);
  if (!removed) return failed(FailureClass::app, removed.error());
  if (*removed > 0) log.line(fmt::format("{} left out {}", name, util::plural(*removed, "entry")));
  return {};
}

std::expected<SlugReport, Failure> make_slug(const PackagingRequest& request, Log& log, std::stop_token stop) {
  TRY(apply_ignore_file(request.app_dir, ".slugignore-post", log));
  const Result<slug::Slug> slug =
      slug::write(request.app_dir, request.file, {.compression_level = request.level}, std::move(stop));
  if (!slug) return failed(FailureClass::internal, slug.error());
  log.heading(fmt::format("Compiled slug size is {}", util::human_size(slug->bytes)));
  if (slug->bytes > request.soft_limit) warn_of_size(request, *slug, log);
  return SlugReport{slug->bytes, slug->files, slug->sha256.hex(), {}};
}

Result<fs::path> keep_slug(const fs::path& slug, const fs::path& directory, const std::string& name) {
  TRY(util::make_directories(directory, 0700));
  fs::path kept = directory / name;
  if (::rename(slug.c_str(), kept.c_str()) != 0) return fail_errno(errno, kept.native());
  return kept;
}

Result<void> hand_out(const fs::path& slug, const std::string& target, const std::stop_token& stop) {
  const util::Fd from = TRY(util::open_file(slug, O_RDONLY));
  if (target == "-") return within("writing the slug to standard output", copy(from, STDOUT_FILENO, stop));
  return within(fmt::format("writing the slug to {}", target), write_to(target, from, stop));
}

}  // namespace hearth::build
