#include "store/gcs/tokens.h"

#include "http/client.h"
#include "store/gcs/documents.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

constexpr std::uint64_t kLargestFile = 1 << 20;

using Found = Result<std::optional<Token>>;

Found from_file(const std::string& path, const std::stop_token& stop) {
  const Result<std::string> text = util::read_file(path, kLargestFile);
  if (!text) return fail(ErrorKind::denied, "the credentials file cannot be read: {}", text.error().message);
  return TRY(token_by_file(*text, stop));
}

Found from_named_file(const Environment& environment, const std::string& named_file, const std::stop_token& stop) {
  const std::string path = first_of({named_file, variable(environment, "GOOGLE_APPLICATION_CREDENTIALS")});
  if (path.empty()) return std::nullopt;
  return from_file(path, stop);
}

Found from_gcloud(const Environment& environment, const std::stop_token& stop) {
  const std::string home = variable(environment, "HOME");
  const std::string folder =
      first_of({variable(environment, "CLOUDSDK_CONFIG"), home.empty() ? "" : home + "/.config/gcloud"});
  const std::string path = folder + "/application_default_credentials.json";
  std::error_code unknown;
  if (folder.empty() || !std::filesystem::exists(path, unknown)) return std::nullopt;
  return from_file(path, stop);
}

// Where nobody answers, or somebody who is no metadata server, this is no machine of Google's.
Found from_metadata(const Environment& environment, const std::stop_token& stop) {
  if (variable(environment, "NO_GCE_CHECK") == "true") return std::nullopt;
  const std::string host = first_of({variable(environment, "GCE_METADATA_HOST"), "169.254.169.254"});
  http::Client client = metadata_client();
  const http::Request request{
      .method = "GET",
      .url = fmt::format("http://{}/computeMetadata/v1/instance/service-accounts/default/token", host),
      .headers = {{"Metadata-Flavor", "Google"}}};
  const std::optional<http::Answer> answer = TRY(ask_metadata_service(client, request, stop));
  if (!answer || http::value_of(answer->headers, "Metadata-Flavor") != "Google") return std::nullopt;
  if (answer->status == 404) return std::nullopt;  // a machine without a service account
  if (!answer->ok()) return fail(http::kind_of_status(answer->status), "the server answered {}", answer->status);
  TokenAnswer token = TRY(parse_token(answer->text()));
  if (!token.lifetime) return Token{std::move(token.token)};
  return Token{std::move(token.token), std::chrono::system_clock::now() + *token.lifetime};
}

}  // namespace

std::vector<TokenProvider> default_providers(const Environment& environment, const std::string& named_file) {
  return {
      {named_file.empty() ? "GOOGLE_APPLICATION_CREDENTIALS" : "the store's parameter credentials",
       [environment, named_file](const std::stop_token& stop) {
         return from_named_file(environment, named_file, stop);
       }},
      {"gcloud's application default credentials",
       [environment](const std::stop_token& stop) { return from_gcloud(environment, stop); }},
      {"the metadata server", [environment](const std::stop_token& stop) { return from_metadata(environment, stop); }}};
}

}  // namespace hearth::store::gcs
