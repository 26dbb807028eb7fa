// hearth store check: tries out a store, and tells what it can do.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/shared_options.h"
#include "store/check.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr const char* kStoreExamples = R"(Examples:
  hearth store check file:///srv/hearth
  hearth store check 's3://builds/hearth?region=eu-west-1' --format json
  HEARTH_STORE=s3://builds hearth store check

Writes, reads, lists and deletes some hundred small objects and some large ones below a name of its own, and leaves
nothing behind. Exit codes: 0 the store can be used, 2 usage, 5 it cannot.)";

struct CheckFlags {
  StoreFlags store;
  Format format = Format::text;
};

std::string_view word_of(store::Verdict verdict) {
  switch (verdict) {
    case store::Verdict::yes:
      return "yes";
    case store::Verdict::no:
      return "no";
    case store::Verdict::failed:
      return "FAILED";
    case store::Verdict::skipped:
      break;
  }
  return "-";
}

std::vector<std::string> advice_for(const store::CheckReport& report) {
  std::vector<std::string> advice;
  if (!report.usable) return advice;
  if (report.compare_and_swap == store::CompareAndSwap::absent) {
    advice.emplace_back(
        "without compare-and-swap, of two builds of one app that end at the same moment one loses its "
        "cache, and what is deleted waits a day; see docs/stores.md");
  }
  if (report.checksums == store::Checksums::ignored) {
    advice.emplace_back(
        "what is damaged on its way may be stored, and is found out when it is read: a cold build; over https nothing "
        "is damaged unnoticed");
  }
  constexpr std::chrono::seconds kSkewed{300};
  if (std::chrono::abs(report.skew) > kSkewed) {
    advice.emplace_back(
        "the clocks differ: most providers refuse requests that are signed at another time than theirs");
  }
  constexpr std::chrono::milliseconds kFar{50};
  if (report.latency > kFar)
    advice.emplace_back("the store is far away: --tier keeps what was fetched on this machine");
  return advice;
}

void show(const std::string& store, const store::CheckReport& report) {
  say(store);
  for (const store::Finding& finding : report.findings) {
    const std::string line =
        fmt::format("  {:<20} {:<6}  {}", finding.subject, word_of(finding.verdict), finding.detail);
    say(std::string(line.substr(0, line.find_last_not_of(' ') + 1)));
  }
  for (const std::string& line : advice_for(report)) say("  advice: " + line);
  if (report.left_behind > 0) {
    complain(fmt::format("warning: {} of the check's objects could not be deleted; their keys begin with hearth-check-",
                         report.left_behind));
  }
  say(report.usable ? "The store can be used." : "The store cannot be used.");
}

nlohmann::json as_json(store::Checksums checksums) {
  if (checksums == store::Checksums::absent) return nullptr;
  return checksums == store::Checksums::honoured;
}

nlohmann::json as_json(const std::string& store, const store::CheckReport& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const store::Finding& finding : report.findings) {
    findings.push_back(
        {{"subject", finding.subject}, {"verdict", word_of(finding.verdict)}, {"detail", finding.detail}});
  }
  return {{"version", 1},
          {"store", store},
          {"usable", report.usable},
          {"compare_and_swap", report.compare_and_swap == store::CompareAndSwap::honoured},
          {"checksums", as_json(report.checksums)},
          {"latency_ns", report.latency.count()},
          {"write_bytes_per_second", static_cast<std::uint64_t>(report.write_rate)},
          {"read_bytes_per_second", static_cast<std::uint64_t>(report.read_rate)},
          {"clock_skew_seconds", report.skew.count()},
          {"left_behind", report.left_behind},
          {"advice", advice_for(report)},
          {"findings", std::move(findings)}};
}

int run_store(const CheckFlags& flags, const Session& session) {
  StoreFlags direct = flags.store;
  direct.tier.clear();
  const Result<store::OpenStore> opened = open_store(direct);
  if (!opened) {
    complain(opened.error().message);
    return opened.error().kind == ErrorKind::invalid ? static_cast<int>(ExitCode::usage)
                                                     : static_cast<int>(ExitCode::store);
  }
  const std::string name = opened->store->description();
  const store::CheckReport report = store::check(*opened->store, {}, session.signals.token());
  if (flags.format == Format::json) {
    say_json(as_json(name, report));
  } else {
    show(name, report);
  }
  if (session.signals.received() != 0) return exit_code(ErrorKind::cancelled, session.signals.received());
  return static_cast<int>(report.usable ? ExitCode::success : ExitCode::store);
}

}  // namespace

void define_store(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("store", "Look at the store itself");
  command->require_subcommand(0, 1);
  CLI::App* checking = command->add_subcommand("check", "Try out a store: store check [URL]");
  checking->footer(kStoreExamples);
  auto flags = std::make_shared<CheckFlags>();
  auto url = std::make_shared<std::string>();
  auto options = std::make_shared<Options>(*checking, invocation.environment);
  checking->add_option("URL", *url, "The store (default: what --store names)");
  add_store(*options, flags->store);
  add_format(*options, flags->format);
  checking->final_callback([&invocation, flags, url, options] {
    invocation.check = [&invocation, flags, url, options] {
      options->finish();
      if (!url->empty()) flags->store.url = *url;
      invocation.run = [flags](const Session& session) { return run_store(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
