#include "store/swift/options.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::store::swift {
namespace {

constexpr std::size_t kLongestContainer = 256;
// In bytes.
constexpr std::uint64_t kSmallestSegment = std::uint64_t{1} << 20;
constexpr std::uint64_t kLargestSegment = 5120 * kSmallestSegment;

// http(s)://HOST[:PORT][/PATH], without the '/' at its end.
Result<std::string> checked_url(std::string url, std::string_view what) {
  while (url.ends_with('/')) url.pop_back();
  const std::size_t scheme = url.find("://");
  const std::string_view rest =
      scheme == std::string::npos ? std::string_view() : std::string_view(url).substr(scheme + 3);
  const bool known = http::has_scheme(url, "http") || http::has_scheme(url, "https");
  if (!known || rest.empty() || rest.starts_with('/') || rest.find_first_of("?#@ ") != std::string_view::npos) {
    return fail(ErrorKind::invalid, "the {} of Swift is http(s)://HOST[:PORT]/PATH", what);
  }
  return url;
}

std::string last_segment(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t slash = url.rfind('/');
  return slash == std::string_view::npos || slash < begin ? "" : std::string(url.substr(slash + 1));
}

// What the last segment of the URL of an identity service says: "v3", "v2.0", "v1.0".
std::optional<AuthVersion> version_in(std::string_view url) {
  const std::string segment = last_segment(url);
  if (segment == "v3") return AuthVersion::v3;
  if (segment == "v2.0") return AuthVersion::v2;
  if (segment == "v1.0" || segment == "v1") return AuthVersion::v1;
  return std::nullopt;
}

Result<AuthVersion> parse_version(std::string_view text) {
  if (text == "1" || text == "1.0") return AuthVersion::v1;
  if (text == "2" || text == "2.0") return AuthVersion::v2;
  if (text == "3") return AuthVersion::v3;
  return fail(ErrorKind::invalid, "the version of Swift's authentication is 1, 2 or 3");
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

class Reader {
 public:
  Reader(Parameters& parameters, const Environment& environment) : parameters_(parameters), environment_(environment) {}

  Result<Login> login() {
    const std::string of_url = parameters_.text("auth-url").value_or("");
    const std::string old = var("ST_AUTH");
    std::string url = first_of({of_url, old, var("OS_AUTH_URL")});
    if (url.empty()) {
      return fail(ErrorKind::denied,
                  "no identity service for Swift is named: set OS_AUTH_URL, or ST_AUTH, ST_USER and ST_KEY");
    }
    url = TRY(checked_url(std::move(url), "auth-url"));
    if (url.ends_with("/auth/tokens")) url.resize(url.size() - std::string_view("/auth/tokens").size());
    const bool is_old = of_url.empty() && !old.empty();
    const AuthVersion version = TRY(version_of(url, is_old));
    Login login{.version = version, .auth_url = url};
    if (login.version != AuthVersion::v1 && !version_in(url)) {
      login.auth_url += login.version == AuthVersion::v2 ? "/v2.0" : "/v3";
    }
    return login;
  }

  Result<void> read_credentials(Login& login) const {
    const bool v1 = login.version == AuthVersion::v1;
    login.user = {v1 ? "" : var("OS_USER_ID"),
                  v1 ? first_of({var("ST_USER"), var("OS_USERNAME")}) : first_of({var("OS_USERNAME"), var("ST_USER")})};
    login.password = v1 ? first_of({var("ST_KEY"), var("OS_PASSWORD")}) : first_of({var("OS_PASSWORD"), var("ST_KEY")});
    login.project = {first_of({var("OS_PROJECT_ID"), var("OS_TENANT_ID")}),
                     first_of({var("OS_PROJECT_NAME"), var("OS_TENANT_NAME")})};
    login.user_domain = domain("OS_USER_DOMAIN");
    login.project_domain = domain("OS_PROJECT_DOMAIN");
    if (login.version == AuthVersion::v3) {
      login.application_credential = {var("OS_APPLICATION_CREDENTIAL_ID"), var("OS_APPLICATION_CREDENTIAL_NAME")};
      login.application_secret = var("OS_APPLICATION_CREDENTIAL_SECRET");
    }
    return check(login);
  }

 private:
  std::string var(const std::string& name) const { return variable(environment_, name); }

  // Said by OS_…_DOMAIN_ID and _NAME, or for everything by OS_DEFAULT_DOMAIN…; else what OpenStack begins with.
  Named domain(const std::string& name) const {
    Named own{var(name + "_ID"), var(name + "_NAME")};
    if (own.given()) return own;
    Named usual{var("OS_DEFAULT_DOMAIN_ID"), var("OS_DEFAULT_DOMAIN_NAME")};
    if (usual.given()) return usual;
    return {"default", ""};
  }

  Result<AuthVersion> version_of(const std::string& url, bool is_old) {
    const std::string said =
        first_of({parameters_.text("auth-version").value_or(""), is_old ? var("ST_AUTH_VERSION") : "",
                  is_old ? "" : var("OS_AUTH_VERSION"), is_old ? "" : var("OS_IDENTITY_API_VERSION")});
    if (!said.empty()) return parse_version(said);
    return version_in(url).value_or(is_old ? AuthVersion::v1 : AuthVersion::v3);
  }

  static Result<void> check(const Login& login) {
    if (login.application_credential.given()) {
      if (login.application_secret.empty()) {
        return fail(ErrorKind::denied, "credentials for Swift are missing: OS_APPLICATION_CREDENTIAL_SECRET");
      }
      if (login.application_credential.id.empty() && !login.user.given()) {
        return fail(ErrorKind::denied, "OS_APPLICATION_CREDENTIAL_NAME needs the user too: OS_USERNAME or OS_USER_ID");
      }
      return {};
    }
    const bool v1 = login.version == AuthVersion::v1;
    // They travel as header fields there.
    if (v1 && (has_control(login.user.name) || has_control(login.password))) {
      return fail(ErrorKind::invalid, "a credential for Swift has a control character, such as a line's end");
    }
    if (login.user.given() && !login.password.empty()) return {};
    return fail(ErrorKind::denied, "credentials for Swift are missing: set {}",
                v1 ? "ST_USER and ST_KEY" : "OS_USERNAME and OS_PASSWORD, or an application credential");
  }

  Parameters& parameters_;
  const Environment& environment_;
};

// "publicURL" is how older variables have it.
Result<std::string> parse_interface(std::string text) {
  constexpr std::string_view kOld = "URL";
  if (text.ends_with(kOld)) text.resize(text.size() - kOld.size());
  if (text != "public" && text != "internal" && text != "admin") {
    return fail(ErrorKind::invalid, "the interface of Swift is public, internal or admin");
  }
  return text;
}

Result<std::uint64_t> parse_segment_size(const std::optional<std::string>& text) {
  if (!text) return std::uint64_t{0};
  const std::uint64_t size = TRY(within("the store's parameter segment-size", util::parse_size(*text)));
  if (size < kSmallestSegment || size > kLargestSegment) {
    return fail(ErrorKind::invalid, "the store's parameter segment-size is between 1MiB and 5GiB");
  }
  return size;
}

Result<void> read_access(Reader& reader, const Environment& environment, SwiftOptions& options) {
  options.token = variable(environment, "OS_AUTH_TOKEN");
  if (has_control(options.token)) return fail(ErrorKind::invalid, "OS_AUTH_TOKEN has a control character");
  if (!options.token.empty() && !options.storage_url.empty()) return {};
  options.token.clear();
  options.login = TRY(reader.login());
  return reader.read_credentials(options.login);
}

}  // namespace

Result<SwiftOptions> read_options(StoreUrl url, const Environment& environment) {
  if (url.bucket.size() > kLongestContainer) return fail(ErrorKind::invalid, "the container's name is too long");
  SwiftOptions options{.container = url.bucket, .prefix = url.prefix, .shown = url.shown()};
  Parameters& parameters = url.parameters;
  options.storage_url =
      first_of({parameters.text("storage-url").value_or(""), variable(environment, "OS_STORAGE_URL")});
  if (!options.storage_url.empty()) {
    options.storage_url = TRY(checked_url(std::move(options.storage_url), "storage-url"));
  }
  options.region = first_of({parameters.text("region").value_or(""), variable(environment, "OS_REGION_NAME")});
  options.interface =
      TRY(parse_interface(first_of({parameters.text("interface").value_or(""), variable(environment, "OS_INTERFACE"),
                                    variable(environment, "OS_ENDPOINT_TYPE"), "public"})));
  options.segment_size = TRY(parse_segment_size(parameters.text("segment-size")));
  options.transfers = TRY(parameters.number("transfers", 1, 64)).value_or(options.transfers);
  TRY(read_limits(parameters, options.http.limits));
  options.http.ca_file = variable(environment, "OS_CACERT");
  Reader reader(parameters, environment);
  const Result<void> access = read_access(reader, environment, options);
  TRY(parameters.check_all_taken());
  TRY(access);
  return options;
}

}  // namespace hearth::store::swift
