#include "build/doctor.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "build/sandbox_config.h"
#include "build/work_dir.h"
#include "sandbox/process.h"
#include "store/check.h"
#include "util/plural.h"
#include "util/stop.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

// No app's name: it has a space.
constexpr const char* kWorkName = "doctor check";
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::chrono::seconds kProgramLimit(10);

// GIT_CONFIG_GLOBAL came with it.
constexpr std::pair kLeastGit{2, 32};
constexpr std::chrono::seconds kToleratedSkew(60);

class Doctor {
 public:
  Doctor(const DoctorOptions& options, const Surroundings& surroundings, const std::stop_token& stop)
      : options_(options), surroundings_(surroundings), stop_(stop) {}

  DoctorReport run() {
    look_at_machine();
    if (!stop_.stop_requested()) look_at_store();
    return std::move(report_);
  }

 private:
  void add(std::string subject, Health health, std::string detail, std::string remedy = {}) {
    report_.diagnoses.push_back({std::move(subject), health, std::move(detail), std::move(remedy)});
  }

  void look_at_machine() {
    const fs::path root =
        options_.work_root.empty() ? default_work_root(options_.host_environment) : options_.work_root;
    const Result<WorkDir> work = WorkDir::open(root, kWorkName);
    if (!work) {
      add("work directory", Health::bad, work.error().message, "name one that can be used with --work");
      return;
    }
    const bool writable = look_at_disk(work->root());
    const std::unique_ptr<sandbox::Sandbox> sandbox = choose_sandbox(*work);
    if (!sandbox) return;
    report_.sandbox = sandbox::name(sandbox->level());
    look_at_network(*sandbox);
    if (const Result<void> handed = work->hand_over(sandbox->owner()); !handed) {
      add("build user", Health::bad, handed.error().message, "see --work and --build-uid");
      return;
    }
    const bool runs = look_at_programs(*sandbox, *work);
    report_.machine_usable = writable && runs;
  }

  // False: no build can work there.
  bool look_at_disk(const fs::path& root) {
    struct statfs system{};
    struct statvfs space{};
    if (::statfs(root.c_str(), &system) != 0 || ::statvfs(root.c_str(), &space) != 0) {
      add("work directory", Health::bad, fail_errno(errno, root.native()).error().message, "name one with --work");
      return false;
    }
    const FileSystemFacts facts{.type = static_cast<std::uint32_t>(system.f_type),
                                .free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize,
                                .total_bytes = std::uint64_t{space.f_blocks} * space.f_frsize,
                                .free_inodes = space.f_favail,
                                .inodes = space.f_files,
                                .no_exec = (space.f_flag & ST_NOEXEC) != 0};
    bool usable = true;
    for (Diagnosis& diagnosis : judge_file_system(root.native(), facts)) {
      usable = usable && diagnosis.health != Health::bad;
      report_.diagnoses.push_back(std::move(diagnosis));
    }
    return usable;
  }

  // The one that a build would get; null where there is none. Of two that work the first is better.
  std::unique_ptr<sandbox::Sandbox> choose_sandbox(const WorkDir& work) {
    std::vector<sandbox::Level> levels = {sandbox::Level::bwrap, sandbox::Level::uid};
    if (options_.sandbox) levels = {*options_.sandbox};
    std::unique_ptr<sandbox::Sandbox> chosen;
    std::vector<Diagnosis> failed;
    const sandbox::Config config = basic_sandbox_config(work, options_);
    for (const sandbox::Level level : levels) {
      const std::string subject = fmt::format("sandbox {}", sandbox::name(level));
      Result<std::unique_ptr<sandbox::Sandbox>> opened = surroundings_.open_sandbox(level, config);
      if (!opened) {
        failed.push_back({subject, Health::unneeded, opened.error().message, remedy_of(level, opened.error())});
        continue;
      }
      add(subject, Health::good, fmt::format("works; what it runs is uid {}", (*opened)->owner()));
      if (!chosen) chosen = std::move(*opened);
    }
    for (Diagnosis& diagnosis : failed) {
      // A better level that cannot be had is worth a word; a worse one is not.
      const bool better = chosen && diagnosis.subject == "sandbox bwrap";
      if (!chosen) diagnosis.health = Health::bad;
      if (better) diagnosis.health = Health::worry;
      if (diagnosis.health == Health::unneeded) diagnosis.remedy.clear();
      report_.diagnoses.push_back(std::move(diagnosis));
    }
    return chosen;
  }

  static std::string remedy_of(sandbox::Level level, const Error& error) {
    if (error.kind == ErrorKind::conflict) return "wait for the build that runs at this level, or end it";
    if (level == sandbox::Level::bwrap && !sandbox::find_program("bwrap")) return "install bubblewrap";
    if (level == sandbox::Level::bwrap) {
      return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, "
             "kernel.apparmor_restrict_unprivileged_userns=0; in a container, a security profile that lets clone and "
             "mount through; see docs/security.md";
    }
    if (level == sandbox::Level::uid) return "run as root, with the capabilities that docs/security.md names";
    return "see docs/security.md";
  }

  void look_at_network(const sandbox::Sandbox& sandbox) {
    const std::string warning = sandbox.warning();
    const std::string_view wanted = sandbox::name(options_.network);
    if (warning.empty()) {
      add("network", Health::good, fmt::format("\"{}\" can be had", wanted));
      return;
    }
    const bool missing = !sandbox::find_program("slirp4netns");
    add("network", Health::worry, warning,
        missing ? "install slirp4netns" : "let the build open /dev/net/tun, or block what docs/security.md names");
  }

  // What the program printed, both streams; an error where it cannot be run.
  Result<std::string> output_of(sandbox::Sandbox& sandbox, const WorkDir& work,
                                const std::vector<std::string>& argv) const {
    const util::StopAfter limit(stop_, kProgramLimit);
    const sandbox::Command command{.argv = argv,
                                   .environment = {{"PATH", kPath}, {"LANG", "C.UTF-8"}},
                                   .directory = sandbox.inside(work.tmp()),
                                   .streams = sandbox::Streams::merged};
    std::string output;
    const auto keep = [&output](std::string_view bytes) { output += bytes.substr(0, 1000); };
    const sandbox::Exit exit = TRY(sandbox.run(command, keep, {}, limit.token()));
    if (exit.code == 0) return output;
    return fail(ErrorKind::not_found, "{} cannot be run ({})", argv.front(),
                output.empty() ? fmt::format("exit code {}", exit.code) : util::shown(util::trim(output)));
  }

  // False: not even a shell runs.
  bool look_at_programs(sandbox::Sandbox& sandbox, const WorkDir& work) {
    const Result<std::string> shell = output_of(sandbox, work, {"/bin/bash", "-c", "echo started"});
    if (!shell) {
      add("shell", Health::bad, shell.error().message, "install bash, or name a root that has it with --stack-root");
      return false;
    }
    look_at_git(sandbox, work);
    look_at_ssh(sandbox, work);
    return true;
  }

  void look_at_git(sandbox::Sandbox& sandbox, const WorkDir& work) {
    const Result<std::string> git = output_of(sandbox, work, {"git", "--version"});
    if (!git) {
      add("git", Health::worry, git.error().message, "install git: sources and buildpacks of git URLs need it");
      return;
    }
    const auto version = git_version(*git);
    const std::string said = util::shown(util::trim(*git));
    if (!version || *version < kLeastGit) {
      add("git", Health::worry, said,
          fmt::format("install git {}.{} or later: older ones read the settings of the machine", kLeastGit.first,
                      kLeastGit.second));
      return;
    }
    add("git", Health::good, said);
  }

  void look_at_ssh(sandbox::Sandbox& sandbox, const WorkDir& work) {
    const Result<std::string> ssh = output_of(sandbox, work, {"ssh", "-V"});
    constexpr const char* kInstall = "install openssh-client: sources and buildpacks of ssh URLs need it";
    if (!ssh) {
      add("ssh", Health::worry, ssh.error().message, kInstall);
    } else if (!sandbox::find_program("ssh-agent") || !sandbox::find_program("ssh-add")) {
      add("ssh", Health::worry, "ssh-agent or ssh-add is missing", kInstall);
    } else {
      add("ssh", Health::good, util::shown(util::trim(*ssh)));
    }
  }

  void look_at_store() {
    Result<std::string> url = options_.store_url;
    if (options_.store_url.empty()) url = store::default_url();
    const Result<store::OpenStore> opened =
        url ? surroundings_.open_store(*url, options_.store_options) : std::unexpected(url.error());
    if (!opened) {
      report_.store_error = opened.error().kind;
      add("store", Health::bad, opened.error().message, "see docs/stores.md");
      return;
    }
    if (!opened->warning.empty()) add("tier", Health::worry, opened->warning, "see --tier");
    constexpr store::CheckOptions kSmall{
        .listed = 20, .racers = 4, .rounds = 1, .transfers = 1, .transfer_bytes = 1 << 20, .pings = 5};
    const store::CheckReport checked = store::check(*opened->store, kSmall, stop_);
    if (stop_.stop_requested()) return;
    report_.store_usable = checked.usable;
    tell_store(opened->store->description(), checked);
    if (checked.usable) tell_clock(checked);
  }

  void tell_store(const std::string& store, const store::CheckReport& checked) {
    for (const store::Finding& finding : checked.findings) {
      if (finding.verdict == store::Verdict::failed) {
        add("store", Health::bad, fmt::format("{}: {}: {}", store, finding.subject, finding.detail),
            "see docs/stores.md for the privileges; hearth store check tells more");
      }
    }
    if (checked.usable) {
      add("store", Health::good,
          fmt::format("{}: reads, writes, lists and deletes; {} for a small read", store,
                      util::human_duration(checked.latency)));
      if (checked.compare_and_swap == store::CompareAndSwap::absent) {
        add("store", Health::worry, "no compare-and-swap: of two saves at the same moment one is lost",
            "nothing, or a store that has it: docs/stores.md");
      }
    }
    if (checked.left_behind > 0) {
      add("store", Health::worry,
          fmt::format("{} of this check could not be deleted", util::plural(checked.left_behind, "object")),
          "allow deletion; remove what begins with hearth-check-");
    }
  }

  void tell_clock(const store::CheckReport& checked) {
    const auto skew = std::chrono::abs(checked.skew);
    if (skew <= kToleratedSkew) {
      add("clock", Health::good,
          fmt::format("as the store's, within {}", util::human_duration(std::max(skew, std::chrono::seconds(1)))));
      return;
    }
    add("clock", Health::worry,
        fmt::format("{} {} the store's", util::human_duration(skew), checked.skew.count() > 0 ? "behind" : "ahead of"),
        "set this machine's clock (chrony, systemd-timesyncd): signatures and names of builds depend on it");
  }

  const DoctorOptions& options_;
  const Surroundings& surroundings_;
  const std::stop_token stop_;
  DoctorReport report_;
};

}  // namespace

std::string_view name(Health health) {
  switch (health) {
    case Health::good:
      return "good";
    case Health::unneeded:
      return "unneeded";
    case Health::worry:
      return "worry";
    case Health::bad:
      return "bad";
  }
  return "bad";
}

DoctorReport examine(const DoctorOptions& options, const Surroundings& surroundings, const std::stop_token& stop) {
  return Doctor(options, surroundings, stop).run();
}

}  // namespace hearth::build
