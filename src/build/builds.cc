#include "build/builds.h"

#include <fcntl.h>

#include <algorithm>
#include <ranges>

#include "build/build_folders.h"
#include "build/report.h"
#include "build/stored_builds.h"
#include "util/file.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kFetchPiece = std::uint64_t{8} << 20;
// A second later than the last of this year would have a name that sorts before it.
constexpr std::chrono::sys_days kLastDay = std::chrono::year{9998} / 12 / 31;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Absent: not one to run.
Result<std::optional<PublishedBuild>> published(store::ObjectStore& store, const BuildFolders::value_type& listed,
                                                const std::stop_token& stop) {
  const auto& [build, files] = listed;
  if (!is_published(files)) return std::nullopt;
  PublishedBuild found;
  found.build = build;
  const std::string report = TRY(report_text(store, files, stop));
  if (state_of(files, report) != BuildState::succeeded) return std::nullopt;
  if (const Result<StoredReport> read = parse_report(report)) found.slug_sha256 = read->slug_sha256;
  const store::ObjectInfo& slug = files.find(kSlugName)->second;
  found.slug_key = slug.key.text();
  found.slug_bytes = slug.size;
  found.procfile = TRY(get_text(store, files.find(kProcfileName)->second.key, stop));
  return found;
}

}  // namespace

std::string name_build_by_clock(std::string_view id, std::chrono::system_clock::time_point now) {
  return fmt::format("{}-{}", util::utc_compact(now), id);
}

Result<std::string> name_build(store::ObjectStore& store, std::string_view app, std::string_view id,
                               std::chrono::system_clock::time_point now, std::stop_token stop) {
  const BuildFolders folders = TRY(list_builds(store, app, std::move(stop)));
  std::string by_clock = name_build_by_clock(id, now);
  for (const auto& [build, files] : folders | std::views::reverse) {
    const auto time = time_of_build(build);
    if (!time || *time >= kLastDay) continue;
    if (*time < std::chrono::floor<std::chrono::seconds>(now)) break;
    return name_build_by_clock(id, *time + std::chrono::seconds(1));
  }
  return by_clock;
}

Result<std::string> publish(store::ObjectStore& store, std::string_view app, std::string_view build,
                            const fs::path& slug, std::string_view procfile, std::stop_token stop) {
  const store::Key slug_key = TRY(build_key(app, build, kSlugName));
  const store::Key procfile_key = TRY(build_key(app, build, kProcfileName));
  const util::Fd file = TRY(util::open_file(slug, O_RDONLY));
  TRY(store.put(slug_key, &file, store::Condition::none(), stop));
  TRY(store.put(procfile_key, bytes_of(procfile), store::Condition::none(), stop));
  return slug_key.text();
}

Result<void> store_records(store::ObjectStore& store, std::string_view app, std::string_view build,
                           std::string_view report, std::string_view log, std::stop_token stop) {
  const store::Key log_key = TRY(build_key(app, build, kLogName));
  const store::Key report_key = TRY(build_key(app, build, kReportName));
  TRY(store.put(log_key, bytes_of(log), store::Condition::none(), stop));
  TRY(store.put(report_key, bytes_of(report), store::Condition::none(), stop));
  return {};
}

Result<bool> has_report(store::ObjectStore& store, std::string_view app, std::string_view build, std::stop_token stop) {
  const store::Key key = TRY(build_key(app, build, kReportName));
  const Result<store::ObjectInfo> found = store.stat(key, std::move(stop));
  if (!found && found.error().kind == ErrorKind::not_found) return false;
  if (!found) return std::unexpected(found.error());
  return true;
}

Result<PublishedBuild> newest_build(store::ObjectStore& store, std::string_view app, std::stop_token stop) {
  const BuildFolders folders = TRY(list_builds(store, app, stop));
  for (const BuildFolders::value_type& listed : folders | std::views::reverse) {
    std::optional<PublishedBuild> found = TRY(published(store, listed, stop));
    if (found) return std::move(*found);
  }
  return fail(ErrorKind::not_found, "{} holds no successful build of an app named '{}'", store.description(), app);
}

Result<PublishedBuild> published_build(store::ObjectStore& store, std::string_view app, std::string_view build,
                                       std::stop_token stop) {
  const BuildFolders folders = TRY(list_builds(store, app, stop));
  const std::string name = TRY(choose_build(folders, app, build));
  std::optional<PublishedBuild> found = TRY(published(store, *folders.find(name), stop));
  if (found) return std::move(*found);
  return fail(ErrorKind::not_found, "build {} of {} has nothing to run: it failed, or was never published", name, app);
}

Result<void> download_slug(store::ObjectStore& store, const PublishedBuild& build, const fs::path& file,
                           std::stop_token stop) {
  const store::Key slug_key = TRY(store::Key::parse(build.slug_key));
  const util::Fd out = TRY(util::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
  util::Sha256 hash;
  for (std::uint64_t offset = 0; offset < build.slug_bytes;) {
    const store::ByteRange range{.offset = offset, .length = std::min(kFetchPiece, build.slug_bytes - offset)};
    const store::Object object = TRY(store.get(slug_key, range, stop));
    if (object.bytes.empty()) return fail(ErrorKind::corrupt, "{} ends before its size", build.slug_key);
    hash.update(object.bytes);
    TRY(within(file.native(), util::write_full(out.get(), object.bytes)));
    offset += object.bytes.size();
  }
  const std::string sha256 = hash.finish().hex();
  if (!build.slug_sha256.empty() && sha256 != build.slug_sha256) {
    return fail(ErrorKind::corrupt, "{} is damaged: its SHA-256 is {}, and the build's report says {}", build.slug_key,
                sha256, build.slug_sha256);
  }
  return {};
}

}  // namespace hearth::build
