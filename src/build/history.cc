#include "build/history.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "store/pause.h"
#include "util/text.h"

namespace hearth::build {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr int kAttempts = 8;
constexpr std::string_view kFolder = "apps/";
constexpr std::string_view kFile = "/history.json";
// Far longer than any name that we write; what is longer was not written by us.
constexpr std::size_t kLongestText = 1000;
// And far longer than any build takes.
constexpr double kLongestTime = 1e9;

Result<store::Key> key_of(std::string_view app) {
  return store::Key::parse(fmt::format("{}{}{}", kFolder, util::percent_encode(app), kFile));
}

std::string_view name(Temperature temperature) {
  switch (temperature) {
    case Temperature::none:
      return "none";
    case Temperature::cold:
      return "cold";
    case Temperature::warm:
      return "warm";
  }
  return "none";
}

Temperature temperature_of(const std::string& text) {
  if (text == name(Temperature::warm)) return Temperature::warm;
  return text == name(Temperature::cold) ? Temperature::cold : Temperature::none;
}

double written(Seconds seconds) {
  return std::round(seconds.count() * 1000) / 1000;
}

std::string shortened(const std::string& text) {
  return text.substr(0, kLongestText);
}

Json json_of(const PastBuild& build) {
  return {{"build", build.build},
          {"stack", build.stack},
          {"arch", build.arch},
          {"outcome", build.succeeded ? "succeeded" : "failed"},
          {"source_version", shortened(build.source_version)},
          {"restore",
           {{"outcome", build.restore},
            {"generation", build.generation},
            {"seconds", written(build.restore_time)},
            {"waited", written(build.waited)},
            {"bytes", build.restored_bytes},
            {"fetched_bytes", build.fetched_bytes}}},
          {"compile", {{"cache", name(build.compiled)}, {"seconds", written(build.compile_time)}}},
          {"retry", build.retry},
          {"save",
           {{"outcome", build.save},
            {"generation", build.saved_generation},
            {"seconds", written(build.save_time)},
            {"uploaded_bytes", build.uploaded_bytes}}}};
}

std::string text_of(const Json& json, const char* key) {
  return json.at(key).get<std::string>();
}

// What we did not write counts as nothing.
std::uint64_t number_of(const Json& json, const char* key) {
  const Json& number = json.at(key);
  return number.is_number_unsigned() ? number.get<std::uint64_t>() : 0;
}

Seconds seconds_of(const Json& json, const char* key) {
  return Seconds(std::clamp(json.at(key).get<double>(), 0.0, kLongestTime));
}

PastBuild build_of(const Json& json) {
  PastBuild build;
  build.build = text_of(json, "build");
  build.stack = text_of(json, "stack");
  build.arch = text_of(json, "arch");
  build.succeeded = text_of(json, "outcome") == "succeeded";
  build.source_version = text_of(json, "source_version");
  const Json& restore = json.at("restore");
  build.restore = text_of(restore, "outcome");
  build.generation = text_of(restore, "generation");
  build.restore_time = seconds_of(restore, "seconds");
  build.waited = seconds_of(restore, "waited");
  build.restored_bytes = number_of(restore, "bytes");
  build.fetched_bytes = number_of(restore, "fetched_bytes");
  const Json& compile = json.at("compile");
  build.compiled = temperature_of(text_of(compile, "cache"));
  build.compile_time = seconds_of(compile, "seconds");
  build.retry = text_of(json, "retry");
  const Json& save = json.at("save");
  build.save = text_of(save, "outcome");
  build.saved_generation = text_of(save, "generation");
  build.save_time = seconds_of(save, "seconds");
  build.uploaded_bytes = number_of(save, "uploaded_bytes");
  return build;
}

bool is_cold_success(const PastBuild& build) {
  return build.succeeded && build.compiled == Temperature::cold;
}

// The oldest that nobody needs, until the rest is not too much.
History trimmed(History history) {
  History kept;
  std::map<std::pair<std::string, std::string>, std::size_t> cold;  // of each cache, from the newest on
  for (auto build = history.rbegin(); build != history.rend() && kept.size() < kMostKept; ++build) {
    const bool reference = is_cold_success(*build) && ++cold[{build->stack, build->arch}] <= kColdKept;
    const auto age = static_cast<std::size_t>(build - history.rbegin());
    if (age < kBuildsKept || reference) kept.push_back(std::move(*build));
  }
  std::ranges::reverse(kept);
  return kept;
}

// Builds that end together part.
Result<void> pause(int attempt, const std::stop_token& stop) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int limit = 5 << std::min(attempt, 6);
  return store::pause(std::chrono::milliseconds(std::uniform_int_distribution(1, limit)(random)), stop);
}

// When it began, to the second. The rest of a name says nothing of the order.
std::string_view second_of(const PastBuild& build) {
  return std::string_view(build.build).substr(0, build.build.find('-'));
}

}  // namespace

PastBuild with_save(PastBuild build, const CacheSaveReport& save, Seconds taken) {
  build.save = save.outcome;
  build.saved_generation = save.generation;
  build.save_time = taken;
  build.uploaded_bytes = save.uploaded_bytes;
  return build;
}

History with_build(History history, PastBuild build) {
  if (const auto known = std::ranges::find(history, build.build, &PastBuild::build); known != history.end()) {
    *known = std::move(build);
    return trimmed(std::move(history));
  }
  const auto place = std::ranges::upper_bound(history, second_of(build), {}, second_of);
  history.insert(place, std::move(build));
  return trimmed(std::move(history));
}

std::string encode_history(const History& history) {
  Json builds = Json::array();
  for (const PastBuild& build : history) builds.push_back(json_of(build));
  const Json json = {{"version", kVersion}, {"builds", std::move(builds)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<History> decode_history(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("version").get_ref<const Json::number_integer_t&>() > kVersion)
      return fail(ErrorKind::invalid, "a history of a later version");
    History history;
    for (const Json& build : json.at("builds")) history.push_back(build_of(build));
    std::ranges::stable_sort(history, {}, second_of);
    return history;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::corrupt, "a history that cannot be read: {}", error.what());
  }
}

History of_cache(const History& history, std::string_view stack, std::string_view arch) {
  History builds;
  for (const PastBuild& build : history) {
    if (build.stack == stack && build.arch == arch) builds.push_back(build);
  }
  return builds;
}

bool has_served(const History& of_cache, std::string_view generation) {
  return std::ranges::any_of(of_cache, [&](const PastBuild& build) {
    return build.succeeded && build.compiled == Temperature::warm && build.generation == generation;
  });
}

bool was_built(const History& of_cache, std::string_view source_version) {
  return !source_version.empty() && std::ranges::any_of(of_cache, [&](const PastBuild& build) {
    return build.succeeded && build.source_version == source_version;
  });
}

Result<KnownHistory> read_history(store::ObjectStore& store, std::string_view app, std::stop_token stop) {
  const store::Key key = TRY(key_of(app));
  const Result<store::Object> object = store.get(key, {.offset = 0, .length = kHistoryLimit}, std::move(stop));
  if (!object && object.error().kind == ErrorKind::not_found) return KnownHistory{};
  if (!object) return std::unexpected(object.error());
  KnownHistory known{{}, object->info.version};
  if (object->info.size > kHistoryLimit) return known;
  Result<History> history =
      decode_history(std::string_view(reinterpret_cast<const char*>(object->bytes.data()), object->bytes.size()));
  if (!history && history.error().kind == ErrorKind::invalid) return std::unexpected(history.error());
  if (history) known.history = std::move(*history);
  return known;
}

Result<void> remember_build(store::ObjectStore& store, std::string_view app, const PastBuild& build,
                            std::optional<KnownHistory> known, std::stop_token stop) {
  const store::Key key = TRY(key_of(app));
  // Without compare-and-swap the put would undo what was written since.
  if (store.compare_and_swap() == store::CompareAndSwap::absent) known.reset();
  for (int attempt = 0;; ++attempt) {
    if (!known) known = TRY(read_history(store, app, stop));
    const std::string text = encode_history(with_build(std::move(known->history), build));
    const auto condition =
        known->version.text.empty() ? store::Condition::if_absent() : store::Condition::if_version(known->version);
    const auto put = store.put(key, std::as_bytes(std::span(text)), condition, stop);
    if (put) return {};
    if (put.error().kind != ErrorKind::conflict || attempt + 1 == kAttempts) return std::unexpected(put.error());
    known.reset();
    TRY(pause(attempt, stop));
  }
}

Result<std::vector<std::string>> apps_with_history(store::ObjectStore& store, std::stop_token stop) {
  const store::Prefix prefix = TRY(store::Prefix::parse(std::string(kFolder)));
  std::vector<std::string> apps;
  const auto visit = [&](const store::ObjectInfo& object) -> Result<void> {
    const std::string_view text = object.key.text();
    if (!text.ends_with(kFile) || std::ranges::count(text, '/') != 2) return {};
    const std::string_view encoded = text.substr(kFolder.size(), text.size() - kFolder.size() - kFile.size());
    if (Result<std::string> app = util::percent_decode(encoded)) apps.push_back(std::move(*app));
    return {};
  };
  TRY(store.list(prefix, visit, std::move(stop)));
  return apps;
}

}  // namespace hearth::build
