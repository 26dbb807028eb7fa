#include "build/packaging.h"

#include <fcntl.h>
#include <unistd.h>

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

Result<void> copy(const util::Fd& from, int to) {
  std::vector<std::byte> buffer(kCopyPiece);
  while (true) {
    const std::size_t count = TRY(util::read_full(from.get(), buffer));
    if (count == 0) return {};
    TRY(util::write_full(to, std::span(buffer).first(count)));
  }
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

Result<void> hand_out(const fs::path& slug, const std::string& target) {
  const util::Fd from = TRY(util::open_file(slug, O_RDONLY));
  if (target == "-") return within("writing the slug to standard output", copy(from, STDOUT_FILENO));
  const util::Fd to = TRY(util::open_file(target, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  return within(fmt::format("writing the slug to {}", target), copy(from, to.get()));
}

}  // namespace hearth::build
