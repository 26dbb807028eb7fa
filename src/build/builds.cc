#include "build/builds.h"

#include <fcntl.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "build/report.h"
#include "util/file.h"
#include "util/hash.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kPiece = std::uint64_t{8} << 20;
constexpr std::size_t kTimeLength = 16;  // "20260131T235959Z"

std::string folder(std::string_view app) {
  return fmt::format("apps/{}/builds/", util::percent_encode(app));
}

Result<store::Key> key(std::string_view app, std::string_view build, std::string_view file) {
  return store::Key::parse(fmt::format("{}{}/{}", folder(app), build, file));
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// build → the files that are there
using Listing = std::map<std::string, std::set<std::string>>;

Result<Listing> list_builds(store::ObjectStore& store, std::string_view app, std::stop_token stop) {
  const store::Prefix prefix = TRY(store::Prefix::parse(folder(app)));
  Listing listing;
  const auto visit = [&](const store::ObjectInfo& object) -> Result<void> {
    const std::string_view rest = std::string_view(object.key.text()).substr(prefix.text().size());
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos) listing[std::string(rest.substr(0, slash))].emplace(rest.substr(slash + 1));
    return {};
  };
  TRY(store.list(prefix, visit, std::move(stop)));
  return listing;
}

bool is_time(std::string_view text) {
  constexpr std::string_view kForm = "00000000T000000Z";
  static_assert(kForm.size() == kTimeLength);
  return std::ranges::equal(text, kForm, [](char character, char form) {
    return form == '0' ? character >= '0' && character <= '9' : character == form;
  });
}

// The second after "20260131T235959Z"; absent where there is no such time.
std::optional<std::chrono::system_clock::time_point> second_after(std::string_view text) {
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (const char digit : text.substr(at, length)) value = value * 10 + (digit - '0');
    return value;
  };
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(6, 2))));
  constexpr int kLastYear = 9998;
  if (!day.ok() || number(0, 4) > kLastYear) return std::nullopt;
  return std::chrono::sys_days(day) + std::chrono::hours(number(9, 2)) + std::chrono::minutes(number(11, 2)) +
         std::chrono::seconds(number(13, 2) + 1);
}

Result<std::string> get_text(store::ObjectStore& store, const store::Key& key, std::stop_token stop) {
  const store::Object object = TRY(store.get(key, {}, std::move(stop)));
  return std::string(reinterpret_cast<const char*>(object.bytes.data()), object.bytes.size());
}

// Absent: not one to run.
Result<std::optional<PublishedBuild>> published(store::ObjectStore& store, std::string_view app,
                                                const Listing::value_type& listed, const std::stop_token& stop) {
  const auto& [build, files] = listed;
  if (!files.contains("slug.tgz") || !files.contains("Procfile")) return std::nullopt;
  PublishedBuild found;
  found.build = build;
  if (files.contains("report.json")) {
    const store::Key report_key = TRY(key(app, build, "report.json"));
    const Result<StoredReport> report = parse_report(TRY(get_text(store, report_key, stop)));
    if (!report || !report->succeeded) return std::nullopt;
    found.slug_sha256 = report->slug_sha256;
  }
  const store::Key slug = TRY(key(app, build, "slug.tgz"));
  found.slug_key = slug.text();
  found.slug_bytes = TRY(store.stat(slug, stop)).size;
  const store::Key procfile = TRY(key(app, build, "Procfile"));
  found.procfile = TRY(get_text(store, procfile, stop));
  return found;
}

}  // namespace

std::string name_build_by_clock(std::string_view id, std::chrono::system_clock::time_point now) {
  return fmt::format("{}-{}", util::utc_compact(now), id);
}

Result<std::string> name_build(store::ObjectStore& store, std::string_view app, std::string_view id,
                               std::chrono::system_clock::time_point now, std::stop_token stop) {
  const Listing listing = TRY(list_builds(store, app, std::move(stop)));
  std::string by_clock = name_build_by_clock(id, now);
  for (const auto& [build, files] : listing | std::views::reverse) {
    const std::string_view time = std::string_view(build).substr(0, kTimeLength);
    if (!is_time(time)) continue;
    if (time < std::string_view(by_clock).substr(0, kTimeLength)) break;
    const auto later = second_after(time);
    if (later) return name_build_by_clock(id, *later);
  }
  return by_clock;
}

Result<std::string> publish(store::ObjectStore& store, std::string_view app, std::string_view build,
                            const fs::path& slug, std::string_view procfile, std::stop_token stop) {
  const store::Key slug_key = TRY(key(app, build, "slug.tgz"));
  const store::Key procfile_key = TRY(key(app, build, "Procfile"));
  const util::Fd file = TRY(util::open_file(slug, O_RDONLY));
  TRY(store.put(slug_key, &file, store::Condition::none(), stop));
  TRY(store.put(procfile_key, bytes_of(procfile), store::Condition::none(), stop));
  return slug_key.text();
}

Result<void> store_records(store::ObjectStore& store, std::string_view app, std::string_view build,
                           std::string_view report, std::string_view log, std::stop_token stop) {
  const store::Key log_key = TRY(key(app, build, "log.txt"));
  const store::Key report_key = TRY(key(app, build, "report.json"));
  TRY(store.put(log_key, bytes_of(log), store::Condition::none(), stop));
  TRY(store.put(report_key, bytes_of(report), store::Condition::none(), stop));
  return {};
}

Result<PublishedBuild> newest_build(store::ObjectStore& store, std::string_view app, std::stop_token stop) {
  const Listing listing = TRY(list_builds(store, app, stop));
  for (const Listing::value_type& listed : listing | std::views::reverse) {
    std::optional<PublishedBuild> found = TRY(published(store, app, listed, stop));
    if (found) return std::move(*found);
  }
  return fail(ErrorKind::not_found, "{} holds no successful build of an app named '{}'", store.description(), app);
}

Result<void> download_slug(store::ObjectStore& store, const PublishedBuild& build, const fs::path& file,
                           std::stop_token stop) {
  const store::Key slug_key = TRY(store::Key::parse(build.slug_key));
  const util::Fd out = TRY(util::open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0600));
  util::Sha256 hash;
  for (std::uint64_t offset = 0; offset < build.slug_bytes;) {
    const store::ByteRange range{.offset = offset, .length = std::min(kPiece, build.slug_bytes - offset)};
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
