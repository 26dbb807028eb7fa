#include "buildpack/environment.h"

#include <algorithm>
#include <array>

namespace hearth::buildpack {
namespace {

constexpr std::array kProxyVariables = {"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY"};

constexpr std::array kCertificateVariables = {
    "SSL_CERT_FILE",  "SSL_CERT_DIR",      "CURL_CA_BUNDLE",    "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO", "GIT_SSL_CAPATH",    "PIP_CERT",          "CARGO_HTTP_CAINFO",  "NPM_CONFIG_CAFILE",
    "AWS_CA_BUNDLE",  "npm_config_cafile", "BUNDLE_SSL_CA_CERT"};

template <class Names>
void take(const std::map<std::string, std::string>& host, const Names& names,
          std::map<std::string, std::string>& into) {
  for (const auto& name : names) {
    const auto found = host.find(name);
    if (found != host.end()) into[found->first] = found->second;
  }
}

}  // namespace

Environment network_environment(const std::map<std::string, std::string>& host) {
  std::map<std::string, std::string> variables;
  take(host, kProxyVariables, variables);
  take(host, kCertificateVariables, variables);
  return {variables.begin(), variables.end()};
}

Environment base_environment(const EnvironmentRequest& request) {
  std::map<std::string, std::string> variables = {
      {"HOME", request.home.string()},
      {"APP_DIR", request.home.string()},
      {"STACK", request.stack},
      {"CURL_CONNECT_TIMEOUT", "30"},
      {"CURL_TIMEOUT", "180"},
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"},
      {"USER", request.user},
      {"LOGNAME", request.user},
      {"SHELL", "/bin/bash"},
      {"TERM", "dumb"},
      {"TMPDIR", request.tmp.string()},
      {"GIT_TERMINAL_PROMPT", "0"},
  };
  if (!request.request_id.empty()) variables["REQUEST_ID"] = request.request_id;
  if (!request.source_version.empty()) variables["SOURCE_VERSION"] = request.source_version;
  for (const auto& [name, value] : network_environment(request.host)) variables[name] = value;
  take(request.host, request.pass_through, variables);
  return {variables.begin(), variables.end()};
}

std::vector<std::filesystem::path> certificate_paths(const Environment& environment) {
  std::vector<std::filesystem::path> paths;
  for (const auto& [name, value] : environment) {
    if (std::ranges::find(kCertificateVariables, name) == kCertificateVariables.end()) continue;
    const std::filesystem::path path = value;
    std::error_code ignored;
    if (!path.is_absolute() || !std::filesystem::exists(path, ignored)) continue;
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
  }
  return paths;
}

}  // namespace hearth::buildpack
