#include "cli/cache_repair.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "cache/operator/repair.h"
#include "cli/exit_code.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr std::size_t kNamedFiles = 10;

void show_left(const cache::DamagedGeneration& left) {
  if (left.whole) {
    say(fmt::format("  generation {}: not mended: its manifest is damaged", left.id));
    return;
  }
  say(fmt::format("  generation {}: not mended: the content of {} was not found", left.id,
                  plural(left.files.size(), "file")));
  const std::size_t named = std::min(left.files.size(), kNamedFiles);
  for (std::size_t i = 0; i < named; ++i) say(fmt::format("    {}", util::shown(left.files[i])));
  if (named < left.files.size()) say(fmt::format("    and {} more", left.files.size() - named));
}

void show(const cache::Name& name, const cache::RepairReport& report) {
  if (report.outcome == cache::VerifyOutcome::absent) {
    say(fmt::format("{}: gone meanwhile", title(name)));
    return;
  }
  if (report.outcome == cache::VerifyOutcome::unavailable) return;
  const bool sound = report.outcome == cache::VerifyOutcome::sound;
  if (report.damaged_objects.empty()) {
    say(fmt::format("{}: sound, nothing to mend", title(name)));
    return;
  }
  say(fmt::format("{}: {}: {} damaged, {} mended, {} uploaded", title(name), sound ? "sound now" : "DAMAGED",
                  plural(report.damaged_objects.size(), "object"), plural(report.mended.size(), "generation"),
                  util::human_size(report.uploaded.bytes)));
  for (const cache::DamagedObject& object : report.damaged_objects) {
    say(fmt::format("  {}: {}", object.object, object.problem));
  }
  for (const cache::MendedGeneration& mended : report.mended) {
    say(fmt::format("  generation {}: mended, it is {} now", mended.id, mended.now));
  }
  for (const cache::DamagedGeneration& left : report.left) show_left(left);
}

nlohmann::json as_json(const cache::Name& name, const cache::RepairReport& report) {
  nlohmann::json answer = answer_about(name);
  answer["outcome"] = cache::name(report.outcome);
  answer["error"] = report.error ? nlohmann::json(report.error->message) : nlohmann::json();
  for (const char* list : {"damaged_objects", "mended", "left"}) answer[list] = nlohmann::json::array();
  for (const cache::DamagedObject& object : report.damaged_objects) {
    answer["damaged_objects"].push_back({{"object", object.object}, {"problem", object.problem}});
  }
  for (const cache::MendedGeneration& mended : report.mended) {
    answer["mended"].push_back({{"id", mended.id}, {"now", mended.now}});
  }
  for (const cache::DamagedGeneration& left : report.left) {
    answer["left"].push_back({{"id", left.id}, {"whole", left.whole}, {"files", left.files}});
  }
  answer["uploaded_objects"] = report.uploaded.objects;
  answer["uploaded_bytes"] = report.uploaded.bytes;
  return answer;
}

}  // namespace

int repair_cache(const CacheTarget& target, const std::string& directory, std::uint32_t threads,
                 const Session& session) {
  std::error_code none;
  if (!std::filesystem::is_directory(directory, none)) {
    return refuse({ErrorKind::invalid, fmt::format("{} is no directory to mend from", directory)}, session);
  }
  // What the store has is to be proved, not what a tier has.
  CacheTarget direct = target;
  direct.store.tier.clear();
  const Result<FoundCache> found = find_cache(direct, session);
  if (!found) return refuse_of_store(found.error(), session);
  const cache::RepairReport report =
      cache::repair(*found->opened.store, found->name(), directory, threads, session.signals.token());
  if (target.format == Format::json) {
    say_json(as_json(found->name(), report));
  } else {
    show(found->name(), report);
  }
  if (report.error) return refuse_of_store(*report.error, session);
  return static_cast<int>(report.outcome == cache::VerifyOutcome::damaged ? ExitCode::app_failed : ExitCode::success);
}

}  // namespace hearth::cli
