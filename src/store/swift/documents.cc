#include "store/swift/documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/answers.h"
#include "util/text.h"

namespace hearth::store::swift {
namespace {

using Json = nlohmann::json;

// Far more than any answer has. JSON is copied by recursion, so that hostile depth would end the process.
constexpr int kDepthLimit = 64;

Result<Json> parse(std::string_view text, Json::value_t type) {
  bool too_deep = false;
  const auto is_shallow = [&too_deep](int depth, Json::parse_event_t /*event*/, Json& /*parsed*/) {
    too_deep = too_deep || depth > kDepthLimit;
    return !too_deep;
  };
  Json json = Json::parse(text, is_shallow, false);
  if (too_deep || json.type() != type) return fail(ErrorKind::unavailable, "the server's JSON cannot be read");
  return json;
}

const Json& member(const Json& json, const char* name) {
  static const Json nothing;
  if (!json.is_object()) return nothing;
  const auto found = json.find(name);
  return found == json.end() ? nothing : *found;
}

// What is no UTF-8 is replaced, since it cannot be said.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "" for what is no string.
std::string text_of(const Json& json, const char* name) {
  const Json& value = member(json, name);
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<std::uint64_t> number_of(const Json& json, const char* name) {
  const Json& value = member(json, name);
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

Result<ListedObject> parse_entry(const Json& entry) {
  const std::string composed = text_of(entry, "slo_etag");
  const auto size = number_of(entry, "bytes");
  const auto modified = util::parse_utc_timestamp(text_of(entry, "last_modified"));
  ListedObject object{.name = text_of(entry, "name"),
                      .size = size.value_or(0),
                      .etag = unquoted(composed.empty() ? text_of(entry, "hash") : composed),
                      .modified = modified.value_or(StoreTime{}),
                      .is_bare_manifest = composed.empty() && text_of(entry, "content_type") == kManifestType};
  if (object.name.empty() || object.etag.empty() || !size || !modified) {
    return fail(ErrorKind::unavailable, "an entry of the server's listing cannot be read");
  }
  return object;
}

Json id_or_name(const Named& named) {
  Json json = Json::object();
  json[named.id.empty() ? "name" : "id"] = named.id.empty() ? named.name : named.id;
  return json;
}

// With its domain, if it goes by a name.
Json in_domain(const Named& named, const Named& domain) {
  Json json = id_or_name(named);
  if (named.id.empty()) json["domain"] = id_or_name(domain);
  return json;
}

Json v2_login(const Login& login) {
  Json auth = Json::object();
  auth["passwordCredentials"]["username"] = login.user.name;
  auth["passwordCredentials"]["password"] = login.password;
  if (!login.project.id.empty()) auth["tenantId"] = login.project.id;
  if (login.project.id.empty() && !login.project.name.empty()) auth["tenantName"] = login.project.name;
  return auth;
}

Json v3_login(const Login& login) {
  Json auth = Json::object();
  Json& identity = auth["identity"];
  if (login.application_credential.given()) {
    Json credential = id_or_name(login.application_credential);
    credential["secret"] = login.application_secret;
    if (login.application_credential.id.empty()) credential["user"] = in_domain(login.user, login.user_domain);
    identity["methods"] = Json::array({"application_credential"});
    identity["application_credential"] = std::move(credential);
    return auth;
  }
  Json user = in_domain(login.user, login.user_domain);
  user["password"] = login.password;
  identity["methods"] = Json::array({"password"});
  identity["password"]["user"] = std::move(user);
  if (login.project.given()) auth["scope"]["project"] = in_domain(login.project, login.project_domain);
  return auth;
}

struct Endpoint {
  std::string region;
  std::string url;
};

Result<std::string> chosen(const std::vector<Endpoint>& endpoints, const Wanted& wanted) {
  if (!wanted.storage_url.empty()) return wanted.storage_url;
  std::set<std::string> regions;
  for (const Endpoint& endpoint : endpoints) {
    if (wanted.region.empty() || endpoint.region == wanted.region) return endpoint.url;
    regions.insert(endpoint.region);
  }
  if (regions.empty()) {
    return fail(ErrorKind::invalid, "the identity service names no object store with the interface {} for this project",
                wanted.interface);
  }
  std::string list;
  for (const std::string& one : regions) list += (list.empty() ? "" : ", ") + util::shown(one);
  return fail(ErrorKind::invalid, "the identity service names no object store in the region {}; there are: {}",
              util::shown(wanted.region), list);
}

// All endpoints of all object stores of a catalog, as `read` finds them in one entry of it.
template <class Read>
std::vector<Endpoint> endpoints_of(const Json& catalog, Read read) {
  std::vector<Endpoint> found;
  if (!catalog.is_array()) return found;
  for (const Json& service : catalog) {
    const Json& endpoints = member(service, "endpoints");
    if (text_of(service, "type") != "object-store" || !endpoints.is_array()) continue;
    for (const Json& endpoint : endpoints) {
      Endpoint one = read(endpoint);
      if (!one.url.empty()) found.push_back(std::move(one));
    }
  }
  return found;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Result<std::vector<ListedObject>> parse_list(std::string_view text) {
  const Json json = TRY(parse(text, Json::value_t::array));
  std::vector<ListedObject> objects;
  for (const Json& entry : json) {
    ListedObject object = TRY(parse_entry(entry));
    objects.push_back(std::move(object));
  }
  return objects;
}

Result<Capabilities> parse_capabilities(std::string_view text) {
  // What a busy server deletes before its answer counts as late.
  constexpr std::uint64_t kLargestDeletion = 250;
  const Json json = TRY(parse(text, Json::value_t::object));
  Capabilities known;
  if (const auto size = number_of(member(json, "swift"), "max_file_size"); size && *size > 0) {
    known.largest_object = *size;
  }
  known.has_segments = json.contains("slo");
  if (const auto count = number_of(member(json, "slo"), "max_manifest_segments"); count && *count > 0) {
    known.most_segments = *count;
  }
  if (json.contains("bulk_delete")) {
    const auto most = number_of(member(json, "bulk_delete"), "max_deletes_per_request");
    known.deletes_at_once = static_cast<std::size_t>(std::min(most.value_or(kLargestDeletion), kLargestDeletion));
  }
  return known;
}

std::string manifest_document(std::span<const Segment> segments) {
  Json json = Json::array();
  for (const Segment& segment : segments) {
    Json entry = Json::object();
    entry["path"] = segment.path;
    entry["etag"] = segment.etag;
    entry["size_bytes"] = segment.size;
    json.push_back(std::move(entry));
  }
  return dumped(json);
}

Result<DeleteFailure> parse_deleted(std::string_view text) {
  const Json json = TRY(parse(text, Json::value_t::object));
  const Json& errors = member(json, "Errors");
  if (errors.is_array()) {
    for (const Json& error : errors) {
      if (!error.is_array() || error.size() != 2 || !error[0].is_string() || !error[1].is_string()) continue;
      return DeleteFailure{error[0].get<std::string>(), error[1].get<std::string>()};
    }
  }
  const std::string status = text_of(json, "Response Status");
  if (status.empty()) return fail(ErrorKind::unavailable, "the server does not say what it deleted");
  return DeleteFailure{"", status.starts_with('2') ? "" : status};
}

std::string login_document(const Login& login) {
  Json json = Json::object();
  json["auth"] = login.version == AuthVersion::v2 ? v2_login(login) : v3_login(login);
  return dumped(json);
}

Result<Grant> parse_v2(std::string_view text, const Wanted& wanted) {
  const Json json = TRY(parse(text, Json::value_t::object));
  const Json& access = member(json, "access");
  const Json& token = member(access, "token");
  const std::string url_name = wanted.interface + "URL";
  const auto read = [&](const Json& endpoint) {
    return Endpoint{text_of(endpoint, "region"), without_slash(text_of(endpoint, url_name.c_str()))};
  };
  const std::string id = text_of(token, "id");
  if (id.empty()) return fail(ErrorKind::unavailable, "the identity service sent no token");
  const std::string url = TRY(chosen(endpoints_of(member(access, "serviceCatalog"), read), wanted));
  return Grant{.token = id, .storage_url = url, .expires = util::parse_utc_timestamp(text_of(token, "expires"))};
}

Result<Grant> parse_v3(std::string_view text, const Wanted& wanted) {
  const Json json = TRY(parse(text, Json::value_t::object));
  const Json& token = member(json, "token");
  if (!token.is_object()) return fail(ErrorKind::unavailable, "the identity service sent no token");
  const auto read = [&](const Json& endpoint) {
    const bool fits = text_of(endpoint, "interface") == wanted.interface;
    const std::string id = text_of(endpoint, "region_id");
    return Endpoint{id.empty() ? text_of(endpoint, "region") : id, fits ? without_slash(text_of(endpoint, "url")) : ""};
  };
  const std::string url = TRY(chosen(endpoints_of(member(token, "catalog"), read), wanted));
  return Grant{.token = "", .storage_url = url, .expires = util::parse_utc_timestamp(text_of(token, "expires_at"))};
}

}  // namespace hearth::store::swift
