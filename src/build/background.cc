#include "build/background.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "build/builds.h"
#include "cache/format/layout.h"
#include "sandbox/process.h"
#include "util/machine.h"
#include "util/stop.h"

namespace hearth::build {

namespace {

// Not to people: of two processes of one program.
using Json = nlohmann::json;

constexpr int kVersion = 1;
// For the report, the log and the history, which are small.
constexpr std::chrono::seconds kRecordsLimit(30);
constexpr std::chrono::seconds kRecordsLimitWhenStopped(2);

// No fraction, and no number in a text.
template <class Number>
Number whole(const Json& json, const char* key) {
  return static_cast<Number>(json.at(key).get_ref<const Json::number_integer_t&>());
}

Json json_of(const store::OpenOptions& options) {
  Json json = {{"insecure", options.verification == http::Verification::none},
               {"transfers", options.transfers},
               {"stall", options.stall.count()}};
  if (options.tier) json["tier"] = {{"directory", options.tier->directory.native()}, {"bytes", options.tier->bytes}};
  return json;
}

store::OpenOptions options_of(const Json& json) {
  store::OpenOptions options;
  if (json.at("insecure").get<bool>()) options.verification = http::Verification::none;
  options.transfers = whole<std::uint32_t>(json, "transfers");
  options.stall = std::chrono::milliseconds(whole<std::int64_t>(json, "stall"));
  if (json.contains("tier")) {
    options.tier = {.directory = json.at("tier").at("directory").get<std::string>(),
                    .bytes = whole<std::uint64_t>(json.at("tier"), "bytes"),
                    .written_once = [](const store::Key& key) { return cache::Layout::has_object(key); }};
  }
  return options;
}

Json json_of(const SaveRequest& request) {
  // Every member: a further one is to be handed over, too.
  const auto& [threads, transfers, level, max_bytes, exclude, as, progress] = request.options;
  (void)exclude;   // request.exclude stands for it
  (void)progress;  // nobody looks any more
  return {{"app", request.name.app},
          {"stack", request.name.stack},
          {"arch", request.name.arch},
          {"threads", threads},
          {"transfers", transfers},
          {"level", level},
          {"max_bytes", max_bytes},
          {"exclude", request.exclude},
          {"failed", as == cache::SaveAs::failed},
          {"culprit", request.culprit},
          {"deadline", request.limits.deadline.count()},
          {"stall", request.limits.stall.count()}};
}

SaveRequest request_of(const Json& json) {
  const auto text = [&](const char* key) { return json.at(key).get<std::string>(); };
  return {.name = {text("app"), text("stack"), text("arch")},
          .options = {.threads = whole<unsigned>(json, "threads"),
                      .transfers = whole<unsigned>(json, "transfers"),
                      .compression_level = whole<int>(json, "level"),
                      .max_bytes = whole<std::uint64_t>(json, "max_bytes"),
                      .exclude = {},
                      .as = json.at("failed").get<bool>() ? cache::SaveAs::failed : cache::SaveAs::newest,
                      .progress = nullptr},
          .exclude = text("exclude"),
          .culprit = text("culprit"),
          .limits = {.deadline = std::chrono::milliseconds(whole<std::int64_t>(json, "deadline")),
                     .stall = std::chrono::milliseconds(whole<std::int64_t>(json, "stall"))}};
}

// Nobody listens any more.
Console silent() {
  Console console;
  console.log = [](std::string_view) {};
  console.diagnostics = [](std::string_view) {};
  return console;
}

Result<SaveJob> read_job(const util::Fd& file) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "looking at the job");
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  const std::size_t read = TRY(util::read_at(file.get(), bytes, 0));
  return decode_job({reinterpret_cast<const char*>(bytes.data()), read});
}

// The report and the log, completed. Of a build that was removed meanwhile they would be a folder without anything to
// run, which nobody removes.
Result<void> store_records(store::ObjectStore& store, const SaveJob& job, const Saved& saved, const Log& log,
                           const store::Meter& meter, const std::stop_token& stop) {
  const bool is_there = TRY(has_report(store, job.app, job.build, stop));
  if (!is_there) return {};
  const PhaseReport phase{"save", saved.start - job.build_started, saved.taken};
  const std::string report = TRY(with_save(job.report, saved.report, phase, report_of(meter.read())));
  return build::store_records(store, job.app, job.build, report, job.log + log.kept(), stop);
}

}  // namespace

std::string encode_job(const SaveJob& job) {
  const Json json = {{"version", kVersion},
                     {"store_url", job.store_url},
                     {"store_options", json_of(job.store_options)},
                     {"app", job.app},
                     {"build", job.build},
                     {"work_root", job.work_root.native()},
                     {"work_path", job.work_path.native()},
                     {"request", json_of(job.request)},
                     {"has_records", job.has_records},
                     {"report", job.report},
                     {"log", job.log},
                     {"secrets", job.secrets},
                     {"build_started", job.build_started.time_since_epoch().count()},
                     {"past", encode_history({job.past})},
                     {"keep_caches", job.keep_caches},
                     {"is_remembered", job.is_remembered}};
  // Logs and paths are any bytes, which this form takes as they are.
  const std::vector<std::uint8_t> bytes = Json::to_cbor(json);
  return {bytes.begin(), bytes.end()};
}

Result<SaveJob> decode_job(std::string_view bytes) {
  try {
    const Json json = Json::from_cbor(bytes);
    if (json.at("version") != kVersion) return fail(ErrorKind::invalid, "a job of another version");
    const auto text = [&](const char* key) { return json.at(key).get<std::string>(); };
    const History past = TRY(decode_history(text("past")));
    if (past.size() != 1) return fail(ErrorKind::invalid, "a job without its build");
    SaveJob job;
    job.store_url = text("store_url");
    job.store_options = options_of(json.at("store_options"));
    job.app = text("app");
    job.build = text("build");
    job.work_root = text("work_root");
    job.work_path = text("work_path");
    job.request = request_of(json.at("request"));
    job.has_records = json.at("has_records").get<bool>();
    job.report = text("report");
    job.log = text("log");
    job.secrets = json.at("secrets").get<std::vector<std::string>>();
    const auto started = whole<std::chrono::steady_clock::rep>(json, "build_started");
    job.build_started = std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(started));
    job.past = past.front();
    job.keep_caches = whole<std::uint64_t>(json, "keep_caches");
    job.is_remembered = json.at("is_remembered").get<bool>();
    return job;
  } catch (const Json::exception& error) {
    return fail(ErrorKind::invalid, "not a job: {}", error.what());
  }
}

Result<util::Fd> job_file(const SaveJob& job) {
  util::Fd file(::memfd_create("hearth-save", MFD_CLOEXEC));
  if (!file) return fail_errno(errno, "making a file in memory");
  TRY(util::write_full(file.get(), encode_job(job)));
  return file;
}

Result<void> start_saver(const SaverInput& input) {
  // Not where the standard ones go, which our caller may have closed.
  const util::Fd job(::fcntl(input.job.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  const util::Fd lock(::fcntl(input.lock.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!job || !lock) return fail_errno(errno, "handing descriptors over");
  sandbox::Launch launch;
  launch.programs = {"/proc/self/exe"};
  launch.argv = {"hearth", "finish-save", std::to_string(job.get()), std::to_string(lock.get())};
  for (const auto& [name, value] : util::environment()) launch.environment.push_back(fmt::format("{}={}", name, value));
  // Settings may name files by relative paths.
  launch.directory = ".";
  launch.kept = {job.get(), lock.get()};
  launch.ignored_signals = {SIGHUP};
  sandbox::Child saver = TRY(sandbox::start(launch));
  saver.release();
  return {};
}

Result<void> finish_save(SaverInput input, const Surroundings& surroundings, std::stop_token stop) {
  const SaveJob job = TRY(read_job(input.job));
  const auto work = std::make_shared<WorkDir>(WorkDir::adopt({job.work_root, job.work_path, std::move(input.lock)}));
  Log log(silent(), job.secrets, surroundings.now);
  store::OpenStore opened = TRY(surroundings.open_store(job.store_url, job.store_options));
  const std::shared_ptr<store::ObjectStore> store = std::move(opened.store);
  const Saved saved = save_cache(store, opened.meter, work, job.request, log, stop);
  log.note(note_of(saved.report));
  keep_cache(*work, {}, saved.report, job.keep_caches, log);

  const util::StopAfter limit({}, stop.stop_requested() ? kRecordsLimitWhenStopped : kRecordsLimit);
  Result<void> stored;
  if (job.has_records) stored = store_records(*store, job, saved, log, *opened.meter, limit.token());
  if (stored && job.is_remembered) {
    stored =
        remember_build(*store, job.app, with_save(job.past, saved.report, saved.taken), std::nullopt, limit.token());
  }
  return stored;
}

}  // namespace hearth::build
