// hearth doctor: whether builds can be made here, and what to mend.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "build/doctor.h"
#include "cli/cache_target.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/shared_options.h"

namespace hearth::cli {

namespace {

constexpr const char* kDoctorExamples = R"(Examples:
  hearth doctor
  hearth doctor --store 's3://builds/hearth?region=eu-west-1' --work /srv/hearth
  hearth doctor --sandbox bwrap --format json

Exit codes: 0 builds can be made (there may be warnings), 2 usage, 5 the store cannot be used, 70 this machine cannot be
used, 130/143 interrupted.)";

struct DoctorFlags {
  StoreFlags store;
  SandboxFlags sandbox;
  Format format = Format::text;
};

std::string_view word_of(build::Health health) {
  switch (health) {
    case build::Health::good:
      return "ok";
    case build::Health::unneeded:
      return "-";
    case build::Health::worry:
      return "warning";
    case build::Health::bad:
      break;
  }
  return "FAILED";
}

void show(const build::DoctorReport& report) {
  for (const build::Diagnosis& diagnosis : report.diagnoses) {
    say(fmt::format("{:<8} {:<15} {}", word_of(diagnosis.health), diagnosis.subject, diagnosis.detail));
    if (!diagnosis.remedy.empty()) say(fmt::format("{:<24} to mend: {}", "", diagnosis.remedy));
  }
  const bool usable = report.machine_usable && report.store_usable;
  say(usable ? fmt::format("Builds can be made here, in the sandbox {}.", report.sandbox)
             : "Builds cannot be made here.");
}

nlohmann::json as_json(const build::DoctorReport& report) {
  nlohmann::json findings = nlohmann::json::array();
  for (const build::Diagnosis& diagnosis : report.diagnoses) {
    findings.push_back({{"subject", diagnosis.subject},
                        {"health", build::name(diagnosis.health)},
                        {"detail", diagnosis.detail},
                        {"remedy", diagnosis.remedy}});
  }
  return {{"version", 1},
          {"usable", report.machine_usable && report.store_usable},
          {"machine_usable", report.machine_usable},
          {"store_usable", report.store_usable},
          {"sandbox", report.sandbox},
          {"findings", std::move(findings)}};
}

int run_doctor(const DoctorFlags& flags, const Session& session) {
  build::DoctorOptions options;
  options.store_url = flags.store.url;
  options.store_options = flags.store.options();
  options.sandbox = flags.sandbox.level;
  options.network = flags.sandbox.network;
  if (!flags.sandbox.stack_root.empty()) options.stack_root = flags.sandbox.stack_root;
  options.build_uid = flags.sandbox.build_uid;
  options.work_root = flags.sandbox.work;
  options.host_environment = session.environment;
  const build::DoctorReport report = build::examine(options, build::surroundings(), session.signals.token());
  if (session.signals.received() != 0) return exit_code(ErrorKind::cancelled, session.signals.received());
  if (flags.format == Format::json) {
    say_json(as_json(report));
  } else {
    show(report);
  }
  if (report.store_error == ErrorKind::invalid) return static_cast<int>(ExitCode::usage);
  if (!report.machine_usable) return static_cast<int>(ExitCode::internal);
  return static_cast<int>(report.store_usable ? ExitCode::success : ExitCode::store);
}

}  // namespace

void define_doctor(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("doctor", "Look whether builds can be made here, and tell what to mend");
  command->footer(kDoctorExamples);
  auto flags = std::make_shared<DoctorFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  add_store(*options, flags->store);
  add_sandbox(*options, flags->sandbox);
  add_format(*options, flags->format);
  command->final_callback([&invocation, flags, options] {
    invocation.check = [&invocation, flags, options] {
      options->finish();
      invocation.run = [flags](const Session& session) { return run_doctor(*flags, session); };
    };
  });
}

}  // namespace hearth::cli
