#include "store/azure/connection_string.h"

#include <map>

#include "store/settings.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

std::string without(std::string text, char end) {
  while (text.ends_with(end)) text.pop_back();
  return text;
}

std::string sas_of(std::string_view text) {
  return std::string(text.starts_with('?') ? text.substr(1) : text);
}

}  // namespace

Result<ConnectionString> parse_connection_string(std::string_view text) {
  std::map<std::string, std::string> settings;
  for (const std::string_view part : util::split(text, ';')) {
    if (util::trim(part).empty()) continue;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      return fail(ErrorKind::invalid, "the connection string is written Name=Value, joined by ';'");
    }
    settings[util::lower(util::trim(part.substr(0, equals)))] = util::trim(part.substr(equals + 1));
  }
  if (util::lower(variable(settings, "usedevelopmentstorage")) == "true") {
    return ConnectionString{.account = std::string(kDevelopmentAccount),
                            .key = std::string(kDevelopmentKey),
                            .sas = {},
                            .endpoint = std::string(kDevelopmentEndpoint)};
  }
  ConnectionString parsed{.account = variable(settings, "accountname"),
                          .key = variable(settings, "accountkey"),
                          .sas = sas_of(variable(settings, "sharedaccesssignature")),
                          .endpoint = variable(settings, "blobendpoint")};
  if (const std::size_t query = parsed.endpoint.find('?'); query != std::string::npos) {
    if (parsed.sas.empty()) parsed.sas = parsed.endpoint.substr(query + 1);
    parsed.endpoint.resize(query);
  }
  const std::string suffix = variable(settings, "endpointsuffix");
  if (parsed.endpoint.empty() && !parsed.account.empty() && !suffix.empty()) {
    const std::string protocol = first_of({variable(settings, "defaultendpointsprotocol"), "https"});
    parsed.endpoint = fmt::format("{}://{}.blob.{}", protocol, parsed.account, suffix);
  }
  parsed.endpoint = without(std::move(parsed.endpoint), '/');
  return parsed;
}

}  // namespace hearth::store::azure
