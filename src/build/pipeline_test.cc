#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "build/pipeline.h"
#include "util/file.h"

namespace hearth::build {

namespace fs = std::filesystem;

Step Pipeline::read_test_settings() {
  Result<buildpack::TestSettings> settings = buildpack::read_test_settings(work_->build());
  if (!settings) return failed(FailureClass::source, settings.error());
  for (const auto& [name, value] : settings->env) {
    const Result<void> usable = check_config_var(name, value, "app.json");
    if (!usable) return failed(FailureClass::source, usable.error());
  }
  test_settings_ = std::move(*settings);
  return {};
}

// Said before anything is compiled.
Step Pipeline::require_tests() const {
  if (!test_settings_.test.empty()) return {};
  std::vector<buildpack::Buildpack> all = candidates_;
  all.push_back(buildpacks_.front().buildpack);
  std::string without;
  for (const buildpack::Buildpack& buildpack : all) {
    const Result<bool> found = buildpack::has_tests(buildpack);
    if (!found) return failed(FailureClass::source, found.error());
    if (*found) return {};
    without += (without.empty() ? "" : ", ") + named(buildpack);
  }
  return failed(FailureClass::no_buildpack,
                "there is nothing to test with: no buildpack has a bin/test ({}), and app.json has no "
                "environments.test.scripts.test",
                without);
}

// The config vars that buildpacks and tests get.
ConfigVars Pipeline::build_vars() const {
  if (!is_test()) return config_vars_;
  ConfigVars vars = config_vars_;
  vars.insert(test_settings_.env.begin(), test_settings_.env.end());
  vars.emplace("CI", "true");
  return vars;
}

// To where it is when it runs; paths into BUILD_DIR that the buildpacks wrote down stay good.
Step Pipeline::move_app_home() {
  const Result<void> removed = util::remove_tree(work_->app());
  if (!removed) return failed(FailureClass::internal, removed.error());
  const std::string home = sandbox_->inside(work_->app());
  if (::rename(work_->build().c_str(), work_->app().c_str()) != 0 ||
      ::symlink(home.c_str(), work_->build().c_str()) != 0) {
    return failed(FailureClass::internal, "the app could not be moved to {}: {}", home, std::strerror(errno));
  }
  return {};
}

Step Pipeline::test() {
  TRY(move_app_home());
  ConfigVars variables(context_->environment.begin(), context_->environment.end());
  for (const auto& [name, value] : build_vars()) variables.insert_or_assign(name, value);
  variables.erase("SSH_KEY");
  const buildpack::Context context{*sandbox_,
                                   {work_->app(), work_->cache(), work_->env()},
                                   buildpack::Environment(variables.begin(), variables.end())};
  const std::stop_token stop = deadline_.token();
  if (!test_settings_.setup.empty()) {
    TRY(run_line(context, "the app's test-setup", test_settings_.setup, log_, stop));
  }
  if (test_settings_.test.empty()) {
    TRY(test_all(context, buildpacks_, log_, stop));
  } else {
    TRY(run_line(context, "the app's test", test_settings_.test, log_, stop));
  }
  log_.heading("Tests passed");
  return {};
}

}  // namespace hearth::build
