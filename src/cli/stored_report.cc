#include "cli/stored_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "util/plural.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

using Json = nlohmann::json;

// Null where there is none, or where it cannot be read.
Json report_of(const build::StoredBuild& build) {
  Json report = build.report.empty() ? Json() : Json::parse(build.report, nullptr, false);
  return report.is_object() ? report : Json();
}

Json at(const Json& report, const char* pointer) {
  const Json::json_pointer where(pointer);
  return report.contains(where) ? report.at(where) : Json();
}

// What stands there, for people; empty where nothing does.
std::string text_at(const Json& report, const char* pointer) {
  const Json value = at(report, pointer);
  if (value.is_null()) return {};
  return value.is_string() ? util::shown(value.get<std::string>()) : value.dump();
}

std::uint64_t number_at(const Json& report, const char* pointer) {
  const Json value = at(report, pointer);
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::string seconds_text(double seconds) {
  return util::human_duration(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)));
}

// From the beginning to the end of the last phase; absent without a report.
std::optional<double> duration_of(const Json& report) {
  const Json phases = at(report, "/phases");
  if (!phases.is_array()) return std::nullopt;
  double end = 0;
  for (const Json& phase : phases) {
    const Json start = at(phase, "/start");
    const Json seconds = at(phase, "/seconds");
    if (start.is_number() && seconds.is_number()) end = std::max(end, start.get<double>() + seconds.get<double>());
  }
  return std::round(end * 1000) / 1000;
}

Json time_json(const std::optional<std::chrono::sys_seconds>& time) {
  return time ? Json(util::utc_timestamp(*time)) : Json();
}

void add(std::vector<std::string>& lines, std::string_view name, const std::string& value) {
  if (!value.empty()) lines.push_back(fmt::format("{:<11} {}", name, value));
}

void add_buildpacks(std::vector<std::string>& lines, const Json& report) {
  const Json buildpacks = at(report, "/buildpacks");
  if (!buildpacks.is_array()) return;
  for (const Json& buildpack : buildpacks) {
    const std::string revision = text_at(buildpack, "/revision");
    add(lines, "buildpack",
        fmt::format("{} ({}{}{})", text_at(buildpack, "/name"), text_at(buildpack, "/source"),
                    revision.empty() ? "" : " ", revision));
  }
}

void add_processes(std::vector<std::string>& lines, const Json& report) {
  const Json processes = at(report, "/processes");
  if (!processes.is_object()) return;
  for (const auto& [type, command] : processes.items()) {
    if (command.is_string()) {
      add(lines, "process", fmt::format("{}: {}", util::shown(type), util::shown(command.get<std::string>())));
    }
  }
}

void add_phases(std::vector<std::string>& lines, const Json& report) {
  const Json phases = at(report, "/phases");
  if (!phases.is_array()) return;
  std::string told;
  for (const Json& phase : phases) {
    const Json seconds = at(phase, "/seconds");
    if (!seconds.is_number()) continue;
    told +=
        fmt::format("{}{} {}", told.empty() ? "" : ", ", text_at(phase, "/name"), seconds_text(seconds.get<double>()));
  }
  add(lines, "phases", told);
}

void add_cache(std::vector<std::string>& lines, const Json& report) {
  const auto told = [&](const std::string& part, const char* moved, const char* how) {
    const std::string outcome = text_at(report, ("/cache/" + part + "/outcome").c_str());
    if (outcome.empty()) return std::string();
    return fmt::format("{}: {}, {}, {} {}", outcome,
                       util::plural(number_at(report, ("/cache/" + part + "/entries").c_str()), "entry"),
                       util::human_size(number_at(report, ("/cache/" + part + "/bytes").c_str())),
                       util::human_size(number_at(report, ("/cache/" + part + "/" + moved).c_str())), how);
  };
  add(lines, "restore", told("restore", "fetched_bytes", "fetched"));
  add(lines, "save", told("save", "uploaded_bytes", "uploaded"));
}

void add_slug(std::vector<std::string>& lines, const Json& report) {
  if (!at(report, "/slug").is_object()) return;
  add(lines, "slug",
      fmt::format("{}, {}, SHA-256 {}", util::human_size(number_at(report, "/slug/bytes")),
                  util::plural(number_at(report, "/slug/files"), "entry"), text_at(report, "/slug/sha256")));
}

}  // namespace

std::vector<std::string> build_table(const std::vector<build::StoredBuild>& builds) {
  std::vector<std::string> lines;
  std::size_t width = std::string_view("BUILD").size();
  for (const build::StoredBuild& build : builds) width = std::max(width, util::shown(build.build).size());
  const auto line = [&](const std::string& build, std::string_view state, std::string_view slug,
                        std::string_view stored, std::string_view took, std::string_view why) {
    std::string text =
        fmt::format("{:<{}}  {:<10}  {:>8}  {:>8}  {:>9}  {}", build, width, state, slug, stored, took, why);
    lines.push_back(text.substr(0, text.find_last_not_of(' ') + 1));
  };
  line("BUILD", "STATE", "SLUG", "STORED", "TOOK", "");
  for (const build::StoredBuild& build : builds) {
    const Json report = report_of(build);
    const std::optional<double> took = duration_of(report);
    line(util::shown(build.build), build::name(build.state),
         build.slug_bytes == 0 ? "-" : util::human_size(build.slug_bytes), util::human_size(build.bytes),
         took ? seconds_text(*took) : "-", text_at(report, "/error/message"));
  }
  return lines;
}

Json summary_json(const build::StoredBuild& build, const std::optional<std::string>& current) {
  const Json report = report_of(build);
  const std::optional<double> took = duration_of(report);
  return {{"build", build.build},
          {"state", build::name(build.state)},
          {"current", build.build == current},
          {"time", time_json(build.time)},
          {"slug_bytes", build.slug_bytes},
          {"objects", build.objects},
          {"bytes", build.bytes},
          {"seconds", took ? Json(*took) : Json()},
          {"error", at(report, "/error/message")}};
}

std::vector<std::string> full_text(const build::StoredBuild& build, const build::BuildFiles& files) {
  const Json report = report_of(build);
  std::vector<std::string> lines;
  add(lines, "build", util::shown(build.build));
  add(lines, "state", std::string(build::name(build.state)));
  add(lines, "error", text_at(report, "/error/message"));
  if (build.time) add(lines, "time", util::utc_timestamp(*build.time));
  const std::string stack = text_at(report, "/stack");
  if (!stack.empty()) {
    add(lines, "stack",
        fmt::format("{} ({}), sandbox {}", stack, text_at(report, "/arch"), text_at(report, "/sandbox")));
  }
  add_buildpacks(lines, report);
  add_processes(lines, report);
  add_slug(lines, report);
  add_cache(lines, report);
  add_phases(lines, report);
  add(lines, "stored", fmt::format("{} in {}", util::human_size(build.bytes), util::plural(build.objects, "object")));
  for (const auto& [file, info] : files) {
    lines.push_back(fmt::format("  {:<12} {:>8}  {}", util::shown(file), util::human_size(info.size),
                                util::utc_timestamp(info.modified)));
  }
  return lines;
}

Json full_json(const std::string& app, const build::StoredBuild& build, const build::BuildFiles& files) {
  Json objects = Json::array();
  for (const auto& [file, info] : files) {
    objects.push_back({{"name", file}, {"bytes", info.size}, {"modified", util::utc_timestamp(info.modified)}});
  }
  return {{"version", 1},
          {"app", app},
          {"build", build.build},
          {"state", build::name(build.state)},
          {"time", time_json(build.time)},
          {"bytes", build.bytes},
          {"objects", std::move(objects)},
          {"report", report_of(build)}};
}

}  // namespace hearth::cli
