#include "store/gcs/options.h"

#include <algorithm>
#include <array>

namespace hearth::store::gcs {
namespace {

constexpr const char* kGoogle = "https://storage.googleapis.com";

// "localhost:9023" as well as "http://localhost:9023/".
Result<std::string> checked_base(std::string base, const std::string& named_by) {
  if (!base.contains("://")) base = "http://" + base;
  while (base.ends_with('/')) base.pop_back();
  const std::string_view rest = std::string_view(base).substr(base.find("://") + 3);
  const bool known = http::has_scheme(base, "http") || http::has_scheme(base, "https");
  if (!known || rest.empty() || rest.find_first_of("/?#@") != std::string_view::npos) {
    return fail(ErrorKind::invalid, "{} is http://HOST[:PORT] or https://HOST[:PORT]", named_by);
  }
  return base;
}

}  // namespace

Result<GcsOptions> read_options(StoreUrl url, const Environment& environment) {
  GcsOptions options;
  options.bucket = url.bucket;
  options.prefix = url.prefix;
  options.shown = url.shown();
  Parameters& parameters = url.parameters;
  const std::string endpoint = parameters.text("endpoint").value_or("");
  const std::string emulator = variable(environment, "STORAGE_EMULATOR_HOST");
  options.base = kGoogle;
  options.is_google = endpoint.empty() && emulator.empty();
  if (!endpoint.empty()) {
    options.base = TRY(checked_base(endpoint, "the store's parameter endpoint"));
    if (!keeps_secrets(options.base)) {
      return fail(ErrorKind::invalid, "the store's parameter endpoint is https, or http on this machine");
    }
  } else if (!emulator.empty()) {
    options.base = TRY(checked_base(emulator, "STORAGE_EMULATOR_HOST"));
    options.login = Login::none;
  }
  options.credentials = parameters.text("credentials").value_or("");
  options.project = first_of({parameters.text("project").value_or(""), variable(environment, "GOOGLE_CLOUD_PROJECT")});
  options.location = parameters.text("location").value_or("");
  options.storage_class = parameters.text("storage-class").value_or("");
  TRY(read_limits(parameters, options.http.limits));
  TRY(parameters.check_all_taken());
  return options;
}

}  // namespace hearth::store::gcs
