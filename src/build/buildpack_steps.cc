#include "build/buildpack_steps.h"

#include "util/text.h"

namespace hearth::build {

namespace {

constexpr std::size_t kTail = std::size_t{16} << 10;
constexpr std::size_t kQuotedLines = 5;

// The last bytes of an output, for finding out why it ended badly.
class Tail {
 public:
  void add(std::string_view bytes) {
    text_ += bytes;
    if (text_.size() > 2 * kTail) text_.erase(0, text_.size() - kTail);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The last lines of what a bin/detect or bin/release wrote to stderr.
void quote(const Tail& tail, Log& log) {
  std::vector<std::string_view> lines = util::split(util::trim(tail.text()), '\n');
  if (lines.size() > kQuotedLines) lines.erase(lines.begin(), lines.end() - kQuotedLines);
  for (const std::string_view line : lines) {
    if (!util::trim(line).empty()) log.line(line);
  }
}

// A program of a buildpack could not be run, or what it said not be used: `blamed` is to blame for what is invalid. All
// else is ours, as a sandbox that does not start; but none starts in a directory that is gone.
std::unexpected<Failure> not_run(const buildpack::Context& context, const Error& error, FailureClass blamed) {
  if (error.kind == ErrorKind::cancelled) return failed(FailureClass::interrupted, error);
  if (error.kind == ErrorKind::invalid) return failed(blamed, error);
  const Step in_place = require_build_dir(context.paths.build);
  if (!in_place) return std::unexpected(in_place.error());
  return failed(FailureClass::internal, error);
}

Step outcome_of(const Result<sandbox::Exit>& exit, const buildpack::Context& context, std::string_view what,
                const Tail& output, Log& log) {
  if (!exit) return not_run(context, exit.error(), FailureClass::source);
  if (exit->stopped) return failed(FailureClass::interrupted, "{} was stopped", what);
  if (exit->code == 0) return {};
  const std::string cause = remedy(output.text());
  if (!cause.empty()) log.warning(cause);
  if (exit->signal != 0) return failed(FailureClass::app, "{} was ended by signal {}", what, exit->signal);
  return failed(FailureClass::app, "{} failed with exit code {}", what, exit->code);
}

// What `call` runs with a sink for its output, which goes to the log.
template <class Call>
Step logged(const buildpack::Context& context, std::string_view what, Log& log, Call call) {
  Tail output;
  const Result<sandbox::Exit> exit = call([&](std::string_view bytes) {
    output.add(bytes);
    log.output(bytes);
  });
  log.end_output();
  return outcome_of(exit, context, what, output, log);
}

using Name = std::optional<std::string>;

std::expected<Name, Failure> detect(const buildpack::Context& context, const buildpack::Buildpack& buildpack,
                                    Tail& errors, Log& log, const std::stop_token& stop) {
  Result<Name> answer = buildpack::detect(context, buildpack, [&](std::string_view bytes) { errors.add(bytes); }, stop);
  if (!answer) return not_run(context, answer.error(), FailureClass::source);
  Name name = std::move(*answer);
  if (name) {
    log.heading(fmt::format("{} app detected", *name));
  } else {
    log.note(fmt::format("{} does not detect the app. {}", buildpack.name, errors.text()));
  }
  return name;
}

}  // namespace

Step require_build_dir(const std::filesystem::path& build) {
  std::error_code unknown;
  if (std::filesystem::is_directory(std::filesystem::symlink_status(build, unknown))) return {};
  return failed(FailureClass::app, "a buildpack removed BUILD_DIR, or put something else in its place");
}

std::string named(const buildpack::Buildpack& buildpack) {
  return buildpack.source.empty() ? buildpack.name : buildpack.source;
}

std::expected<Detected, Failure> detect_first(const buildpack::Context& context,
                                              const std::vector<buildpack::Buildpack>& candidates, Log& log,
                                              const std::stop_token& stop) {
  std::string tried;
  for (const buildpack::Buildpack& candidate : candidates) {
    Tail errors;
    Name name = TRY(detect(context, candidate, errors, log, stop));
    if (name) return Detected{candidate, std::move(*name)};
    tried += (tried.empty() ? "" : ", ") + candidate.name;
  }
  log.warning("Unable to select a buildpack");
  if (candidates.empty()) {
    return failed(FailureClass::no_buildpack,
                  "no buildpack is named and none is installed: name one with --buildpack, BUILDPACK_URL or a "
                  ".buildpacks file, or a directory of them with --buildpacks");
  }
  return failed(FailureClass::no_buildpack, "no buildpack detects this app (tried: {})", tried);
}

std::expected<Detected, Failure> detect_named(const buildpack::Context& context, const buildpack::Buildpack& buildpack,
                                              Log& log, const std::stop_token& stop) {
  Tail errors;
  Name name = TRY(detect(context, buildpack, errors, log, stop));
  if (name) return Detected{buildpack, std::move(*name)};
  log.warning("Unable to select a buildpack");
  quote(errors, log);
  return failed(FailureClass::no_buildpack, "the app is not compatible with buildpack {}", named(buildpack));
}

Step compile(const buildpack::Context& context, const Detected& detected, buildpack::Purpose purpose,
             const std::vector<buildpack::Buildpack>& earlier, Log& log, const std::stop_token& stop) {
  const std::string what =
      fmt::format("{} of {}", buildpack::compile_script(detected.buildpack, purpose), named(detected.buildpack));
  return logged(context, what, log, [&](const sandbox::Sink& sink) {
    return buildpack::compile(context, detected.buildpack, purpose, earlier, sink, stop);
  });
}

Step run_hook(const buildpack::Context& context, const std::string& hook,
              const std::vector<buildpack::Buildpack>& earlier, Log& log, const std::stop_token& stop) {
  return logged(context, fmt::format("the app's {}", hook), log,
                [&](const sandbox::Sink& sink) { return buildpack::run_hook(context, hook, earlier, sink, stop); });
}

Step test_all(const buildpack::Context& context, const std::vector<Detected>& buildpacks, Log& log,
              const std::stop_token& stop) {
  Step outcome;
  for (const Detected& detected : buildpacks) {
    const Result<bool> has_tests = buildpack::has_tests(detected.buildpack);
    if (!has_tests) return failed(FailureClass::source, has_tests.error());
    if (!*has_tests) continue;
    log.heading(fmt::format("Running tests of {}", detected.name));
    const Step tested =
        logged(context, fmt::format("bin/test of {}", named(detected.buildpack)), log,
               [&](const sandbox::Sink& sink) { return buildpack::test(context, detected.buildpack, sink, stop); });
    if (!tested && tested.error().kind != FailureClass::app) return tested;
    if (outcome) outcome = tested;
  }
  return outcome;
}

Step run_line(const buildpack::Context& context, const std::string& what, const std::string& line, Log& log,
              const std::stop_token& stop) {
  log.heading(fmt::format("Running {}: {}", what, line));
  return logged(context, what, log,
                [&](const sandbox::Sink& sink) { return buildpack::run_line(context, line, sink, stop); });
}

std::expected<buildpack::Release, Failure> release_all(const buildpack::Context& context,
                                                       const std::vector<Detected>& buildpacks, Log& log,
                                                       const std::stop_token& stop) {
  buildpack::Release all;
  std::vector<buildpack::Buildpack> earlier;
  for (const Detected& detected : buildpacks) {
    Tail errors;
    Result<buildpack::Release> release = buildpack::release(
        context, detected.buildpack, earlier, [&](std::string_view bytes) { errors.add(bytes); }, stop);
    if (!release) {
      quote(errors, log);
      return not_run(context, release.error(), FailureClass::app);
    }
    if (!errors.text().empty()) log.note(fmt::format("bin/release of {}: {}", detected.name, errors.text()));
    for (auto& [name, value] : release->config_vars) all.config_vars.insert_or_assign(name, std::move(value));
    all.default_process_types = std::move(release->default_process_types);
    earlier.push_back(detected.buildpack);
  }
  return all;
}

}  // namespace hearth::build
