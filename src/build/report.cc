#include "build/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace hearth::build {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

// Milliseconds are as exact as anybody needs, and they print short.
double rounded(std::chrono::duration<double> seconds) {
  return std::round(seconds.count() * 1000) / 1000;
}

Json of(const std::vector<BuildpackReport>& buildpacks) {
  Json list = Json::array();
  for (const BuildpackReport& buildpack : buildpacks) {
    list.push_back({{"name", buildpack.name},
                    {"source", buildpack.source},
                    {"revision", buildpack.revision},
                    {"report", Json(buildpack.report)}});
  }
  return list;
}

Json of(const std::vector<PhaseReport>& phases) {
  Json list = Json::array();
  for (const PhaseReport& phase : phases) {
    list.push_back({{"name", phase.name}, {"start", rounded(phase.start)}, {"seconds", rounded(phase.seconds)}});
  }
  return list;
}

Json of(const std::optional<Failure>& failure) {
  if (!failure) return nullptr;
  return {{"kind", name(failure->kind)}, {"phase", failure->phase}, {"message", failure->message}};
}

Json of(const std::optional<SlugReport>& slug) {
  if (!slug) return nullptr;
  return {{"bytes", slug->bytes}, {"files", slug->files}, {"sha256", slug->sha256}, {"key", slug->key}};
}

Json of(const CacheRestoreReport& restore) {
  return {{"outcome", restore.outcome}, {"generation", restore.generation}, {"seed", restore.seed},
          {"entries", restore.entries}, {"bytes", restore.bytes},           {"fetched_bytes", restore.fetched_bytes}};
}

Json of(const CacheSaveReport& save) {
  return {{"outcome", save.outcome},
          {"generation", save.generation},
          {"entries", save.entries},
          {"bytes", save.bytes},
          {"read_bytes", save.read_bytes},
          {"uploaded_bytes", save.uploaded_bytes},
          {"uploaded_objects", save.uploaded_objects},
          {"added", save.added},
          {"changed", save.changed},
          {"removed", save.removed},
          {"trimmed_files", save.trimmed_files},
          {"trimmed_bytes", save.trimmed_bytes},
          {"left_out", save.left_out}};
}

std::uint64_t added(const Json& one, const Json& other) {
  return one.get<std::uint64_t>() + other.get<std::uint64_t>();
}

Json of(const std::optional<TierReport>& tier) {
  if (!tier) return nullptr;
  return {{"hits", tier->hits}, {"misses", tier->misses}, {"bytes", tier->bytes}};
}

Json of(const StoreReport& store) {
  return {
      {"requests",
       {{"get", store.get}, {"put", store.put}, {"list", store.list}, {"stat", store.stat}, {"remove", store.remove}}},
      {"bytes_in", store.bytes_in},
      {"bytes_out", store.bytes_out},
      {"retries", store.retries},
      {"tier", of(store.tier)}};
}

void add(Json& total, const Json& more) {
  for (auto& [verb, count] : total.at("requests").items()) count = added(count, more.at("requests").at(verb));
  for (const char* key : {"bytes_in", "bytes_out", "retries"}) total.at(key) = added(total.at(key), more.at(key));
  const Json& tier = more.at("tier");
  if (tier.is_null()) return;
  Json& tier_total = total["tier"];
  if (tier_total.is_null()) tier_total = of(TierReport{});
  for (auto& [member, count] : tier_total.items()) count = added(count, tier.at(member));
}

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string_view name(FailureClass failure_class) {
  switch (failure_class) {
    case FailureClass::app:
      return "app";
    case FailureClass::usage:
      return "usage";
    case FailureClass::no_buildpack:
      return "no_buildpack";
    case FailureClass::source:
      return "source";
    case FailureClass::store:
      return "store";
    case FailureClass::deadline:
      return "deadline";
    case FailureClass::interrupted:
      return "interrupted";
    case FailureClass::internal:
      return "internal";
  }
  return "unknown";
}

std::string to_json(const Report& report) {
  const Json json = {{"version", kVersion},
                     {"app", report.app},
                     {"build", report.build},
                     {"stack", report.stack},
                     {"arch", report.arch},
                     {"sandbox", report.sandbox},
                     {"outcome", report.failure ? "failed" : "succeeded"},
                     {"error", of(report.failure)},
                     {"buildpacks", of(report.buildpacks)},
                     {"processes", Json(report.processes)},
                     {"phases", of(report.phases)},
                     {"slug", of(report.slug)},
                     {"cache",
                      {{"mode", report.cache.mode},
                       {"why", report.cache.why},
                       {"deleted_objects", report.cache.deleted_objects},
                       {"restore", of(report.restore)},
                       {"save", of(report.save)},
                       {"retry", report.retry}}},
                     {"store", of(report.store)}};
  return text_of(json);
}

std::string to_json(const CacheRestoreReport& restore) {
  return text_of(of(restore));
}

std::string to_json(const CacheSaveReport& save) {
  return text_of(of(save));
}

CacheRestoreReport report_of(const cache::RestoreReport& restored) {
  return {.outcome = std::string(cache::name(restored.outcome)),
          .generation = restored.generation,
          .seed = restored.seed,
          .entries = restored.entries,
          .bytes = restored.bytes,
          .fetched_bytes = restored.fetched_bytes};
}

CacheSaveReport report_of(const cache::SaveReport& saved) {
  return {.outcome = std::string(cache::name(saved.outcome)),
          .generation = saved.generation,
          .entries = saved.entries,
          .bytes = saved.bytes,
          .read_bytes = saved.read_bytes,
          .uploaded_bytes = saved.uploaded_bytes,
          .uploaded_objects = saved.uploaded_objects,
          .added = saved.added,
          .changed = saved.changed,
          .removed = saved.removed,
          .trimmed_files = saved.trimmed_files,
          .trimmed_bytes = saved.trimmed_bytes,
          .left_out = saved.left_out};
}

Result<std::string> with_save(std::string_view text, const CacheSaveReport& save, const PhaseReport& phase,
                              const StoreReport& store) {
  try {
    Json json = Json::parse(text);
    json.at("cache").at("save") = of(save);
    json.at("phases").push_back(of(std::vector{phase}).front());
    add(json.at("store"), of(store));
    return text_of(json);
  } catch (const Json::exception& error) {
    return fail(ErrorKind::corrupt, "a report that cannot be read: {}", error.what());
  }
}

Result<StoredReport> parse_report(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version") != kVersion) return fail(ErrorKind::corrupt, "a report of an unknown version");
    StoredReport report;
    report.succeeded = json.at("outcome") == "succeeded";
    if (const Json& slug = json.at("slug"); !slug.is_null()) report.slug_sha256 = slug.at("sha256").get<std::string>();
    return report;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::corrupt, "a report that cannot be read: {}", error.what());
  }
}

}  // namespace hearth::build
