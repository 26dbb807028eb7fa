#include "store/s3/options.h"

#include <algorithm>

#include "store/s3/profile.h"
#include "store/settings.h"

namespace hearth::store::s3 {
namespace {

Result<std::string> checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::size_t scheme = endpoint.find("://");
  const std::string_view rest =
      scheme == std::string::npos ? std::string_view() : std::string_view(endpoint).substr(scheme + 3);
  const bool known = http::has_scheme(endpoint, "http") || http::has_scheme(endpoint, "https");
  if (!known || rest.empty() || rest.find_first_of("/?#@") != std::string_view::npos) {
    return fail(ErrorKind::invalid, "an S3 endpoint is http://HOST[:PORT] or https://HOST[:PORT]");
  }
  return endpoint;
}

// A bucket as a host name: with dots in it no certificate fits.
bool fits_into_host(std::string_view bucket) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return bucket.size() >= 3 && bucket.size() <= 63 && std::ranges::all_of(bucket, allowed);
}

Result<void> read_encryption(Parameters& parameters, S3Options& options) {
  options.sse = parameters.text("sse").value_or("");
  options.kms_key = parameters.text("kms-key").value_or("");
  constexpr std::array<std::string_view, 4> kKnown = {"", "AES256", "aws:kms", "aws:kms:dsse"};
  if (std::ranges::find(kKnown, options.sse) == kKnown.end()) {
    return fail(ErrorKind::invalid, "the store's parameter sse is AES256, aws:kms or aws:kms:dsse");
  }
  if (!options.kms_key.empty() && !options.sse.starts_with("aws:kms")) {
    return fail(ErrorKind::invalid, "the store's parameter kms-key needs sse=aws:kms");
  }
  return {};
}

}  // namespace

bool is_region(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

std::string amazon_endpoint(const std::string& region) {
  return fmt::format("https://s3.{}.amazonaws.com{}", region, region.starts_with("cn-") ? ".cn" : "");
}

Result<S3Options> read_options(StoreUrl url, const Environment& environment) {
  S3Options options;
  options.bucket = url.bucket;
  options.prefix = url.prefix;
  options.shown = url.shown();
  Parameters& parameters = url.parameters;
  options.profile = parameters.text("profile").value_or("");
  const Profile profile = TRY(read_profile(environment, options.profile));
  options.region = first_of({parameters.text("region").value_or(""), variable(environment, "AWS_REGION"),
                             variable(environment, "AWS_DEFAULT_REGION"), setting(profile, "region"), "us-east-1"});
  if (!is_region(options.region)) return fail(ErrorKind::invalid, "the store's region is no name of one");
  options.endpoint = first_of({parameters.text("endpoint").value_or(""), variable(environment, "AWS_ENDPOINT_URL_S3"),
                               variable(environment, "AWS_ENDPOINT_URL"), setting(profile, "endpoint_url")});
  options.is_amazon = options.endpoint.empty();
  if (options.is_amazon) options.endpoint = amazon_endpoint(options.region);
  options.endpoint = TRY(checked_endpoint(options.endpoint));
  const std::optional<bool> path_style = TRY(parameters.flag("path-style"));
  const bool by_path = path_style.value_or(!options.is_amazon || !fits_into_host(options.bucket));
  options.addressing = by_path ? Addressing::path : Addressing::virtual_host;
  TRY(read_encryption(parameters, options));
  options.storage_class = parameters.text("storage-class").value_or("");
  options.transfers = TRY(parameters.number("transfers", 1, 64)).value_or(options.transfers);
  TRY(read_limits(parameters, options.http.limits));
  options.http.ca_file = first_of({variable(environment, "AWS_CA_BUNDLE"), setting(profile, "ca_bundle")});
  TRY(parameters.check_all_taken());
  return options;
}

}  // namespace hearth::store::s3
