#include "build/packaging.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
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

void warn_of_size(const PackagingRequest& request, const slug::Slug& slug, Log& log) {
  log.warning(fmt::format("The slug is larger than {}: apps start slowly from such slugs. Largest directories:",
                          util::human_size(request.soft_limit)));
  for (const auto& [directory, bytes] : slug::largest_directories(request.app_dir, kNamedDirectories)) {
    log.warning(fmt::format("  {:>8}  {}", util::human_size(bytes), directory));
  }
  log.warning("What the app does not need at run time can be left out with .slugignore-post.");
  log.note(fmt::format("slug: {} bytes, soft limit {}", slug.bytes, request.soft_limit));
}

// Until somebody has room for what a pipe takes at once: a reader that stalls must not hold a stop up.
Result<void> await_reader(int fd, const std::stop_token& stop) {
  constexpr int kStep = 100;  // milliseconds
  pollfd reader{.fd = fd, .events = POLLOUT, .revents = 0};
  do {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "it was stopped");
  } while (::poll(&reader, 1, kStep) <= 0);
  return {};
}

Result<void> copy(const util::Fd& from, int to, const std::stop_token& stop) {
  std::vector<std::byte> buffer(kCopyPiece);
  while (true) {
    const std::size_t count = TRY(util::read_full(from.get(), buffer));
    if (count == 0) return {};
    for (std::span<const std::byte> left = std::span(buffer).first(count); !left.empty();) {
      TRY(await_reader(to, stop));
      const std::size_t piece = std::min<std::size_t>(left.size(), PIPE_BUF);
      TRY(util::write_full(to, left.first(piece)));
      left = left.subspan(piece);
    }
  }
}

// Where the file is to appear: what a link leads to. Absent where something stands that is written as it is: a pipe, a
// device.
std::optional<fs::path> replaceable(const std::string& target) {
  struct stat status{};
  if (::stat(target.c_str(), &status) != 0) return target;
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  std::error_code error;
  fs::path real = fs::canonical(target, error);
  return error ? std::nullopt : std::optional(std::move(real));
}

Result<void> write_to(const fs::path& file, const util::Fd& slug, const std::stop_token& stop) {
  const util::Fd to = TRY(util::open_file(file, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  if (::lseek(slug.get(), 0, SEEK_SET) != 0) return fail_errno(errno, "lseek");
  return copy(slug, to.get(), stop);
}

Result<void> replace(const fs::path& file, const util::Fd& slug, const std::stop_token& stop) {
  const std::string part = fmt::format("{}.{}.part", file.native(), util::random_hex(4));
  Result<void> written = write_to(part, slug, stop);
  bool is_mount = false;
  if (written && ::rename(part.c_str(), file.c_str()) != 0) {
    is_mount = errno == EBUSY;
    written = fail_errno(errno, file.native());
  }
  if (written) return written;
  const bool is_shut = written.error().kind == ErrorKind::denied;
  ::unlink(part.c_str());
  // A file that a container was given, or that alone is ours in its folder, can only be written where it is.
  std::error_code error;
  return (is_mount || is_shut) && fs::exists(file, error) ? write_to(file, slug, stop) : written;
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
  const std::optional<fs::path> file = replaceable(target);
  return within(fmt::format("writing the slug to {}", target),
                file ? replace(*file, from, stop) : write_to(target, from, stop));
}

}  // namespace hearth::build
