#include "build/last_restore.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "build/build_folders.h"

namespace hearth::build {

namespace {

// What is larger is cut off, and then no report.
constexpr std::uint64_t kLargestReport = std::uint64_t{16} << 20;

struct Stored {
  store::Key key;
  store::StoreTime when;
};

bool tells_of_restore(const std::vector<std::byte>& bytes, const cache::Name& name) {
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  const nlohmann::json report = nlohmann::json::parse(begin, begin + bytes.size(), nullptr, false);
  if (!report.is_object() || report.value("stack", nlohmann::json()) != name.stack ||
      report.value("arch", nlohmann::json()) != name.arch) {
    return false;
  }
  const nlohmann::json outcome = report.value(nlohmann::json::json_pointer("/cache/restore/outcome"), nlohmann::json());
  // Of a build that started from another app's cache it is that cache which was of use.
  const nlohmann::json seed = report.value(nlohmann::json::json_pointer("/cache/restore/seed"), nlohmann::json(""));
  return (outcome == "hit" || outcome == "fallback") && seed == "";
}

}  // namespace

Result<std::optional<store::StoreTime>> last_restore(store::ObjectStore& store, const cache::Name& name,
                                                     store::StoreTime since, const std::stop_token& stop) {
  const BuildFolders folders = TRY(within("listing the builds", list_builds(store, name.app, stop)));
  std::vector<Stored> reports;
  for (const auto& [build, files] : folders) {
    const auto report = files.find(kReportName);
    if (report == files.end() || report->second.modified <= since) continue;
    reports.push_back({report->second.key, report->second.modified});
  }
  std::ranges::sort(reports, std::greater<>(), &Stored::when);
  for (const Stored& report : reports) {
    const Result<store::Object> object = store.get(report.key, {0, kLargestReport}, stop);
    if (!object && object.error().kind == ErrorKind::not_found) continue;
    if (!object) return std::unexpected(object.error());
    if (tells_of_restore(object->bytes, name)) return report.when;
  }
  return std::nullopt;
}

}  // namespace hearth::build
