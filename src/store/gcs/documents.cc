#include "store/gcs/documents.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "util/mac.h"
#include "util/text.h"

namespace hearth::store::gcs {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestToken = 64 << 10;

// Documents are read in place and never copied: copying is recursive, and their depth is a stranger's.
json parse(std::string_view text) {
  return json::parse(text, nullptr, false);
}

const json* member(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const json& object, const char* name) {
  const json* found = member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

// Google writes numbers of 64 bits as strings; others write them as numbers.
std::optional<std::uint64_t> number_of(const json& object, const char* name) {
  const json* found = member(object, name);
  if (found == nullptr) return std::nullopt;
  if (found->is_number_unsigned()) return found->get<std::uint64_t>();
  const std::string text = text_of(object, name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Resource> read_resource(const json& object) {
  const auto size = number_of(object, "size");
  const auto generation = number_of(object, "generation");
  const auto created = util::parse_utc_timestamp(text_of(object, "timeCreated"));
  Resource resource{.name = text_of(object, "name"),
                    .size = size.value_or(0),
                    .generation = std::to_string(generation.value_or(0)),
                    .created = created.value_or(StoreTime()),
                    .crc32c = decode_crc32c(text_of(object, "crc32c"))};
  if (resource.name.empty() || !size || generation.value_or(0) == 0 || !created) {
    return fail(ErrorKind::unavailable, "the server's description of an object cannot be read");
  }
  return resource;
}

}  // namespace

ErrorDocument parse_error(std::string_view text) {
  const json document = parse(text);
  if (document.is_discarded()) return {.reason = {}, .message = std::string(util::trim(text))};
  const json* error = member(document, "error");
  if (error == nullptr) return {};
  ErrorDocument found{.reason = {}, .message = text_of(*error, "message")};
  const json* errors = member(*error, "errors");
  if (errors != nullptr && errors->is_array() && !errors->empty()) found.reason = text_of(errors->front(), "reason");
  return found;
}

Result<Resource> parse_resource(std::string_view text) {
  return read_resource(parse(text));
}

Result<ListPage> parse_list(std::string_view text) {
  const json document = parse(text);
  if (!document.is_object()) return fail(ErrorKind::unavailable, "the server's listing cannot be read");
  ListPage page{.objects = {}, .next = text_of(document, "nextPageToken")};
  const json* items = member(document, "items");
  if (items == nullptr || items->is_null()) return page;
  if (!items->is_array()) return fail(ErrorKind::unavailable, "the server's listing cannot be read");
  for (const json& item : *items) {
    Resource resource = TRY(read_resource(item));
    page.objects.push_back(std::move(resource));
  }
  return page;
}

std::string encode_crc32c(std::uint32_t crc32c) {
  std::array<std::byte, 4> bytes = {};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(crc32c >> (24 - 8 * i));
  return util::to_base64(bytes);
}

std::optional<std::uint32_t> decode_crc32c(std::string_view text) {
  const auto bytes = util::from_base64(text);
  if (!bytes || bytes->size() != 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const std::byte byte : *bytes) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

std::string object_document(std::uint32_t crc32c, const std::string& storage_class) {
  json document = {{"contentType", "application/octet-stream"}, {"crc32c", encode_crc32c(crc32c)}};
  if (!storage_class.empty()) document["storageClass"] = storage_class;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string bucket_document(const std::string& name, const std::string& location, const std::string& storage_class) {
  json document = {{"name", name}, {"iamConfiguration", {{"uniformBucketLevelAccess", {{"enabled", true}}}}}};
  if (!location.empty()) document["location"] = location;
  if (!storage_class.empty()) document["storageClass"] = storage_class;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<TokenAnswer> parse_token(std::string_view text) {
  const json document = parse(text);
  TokenAnswer answer{.token = text_of(document, "access_token"), .lifetime = {}, .until = {}};
  if (answer.token.empty()) {
    answer.token = text_of(document, "accessToken");
    answer.until = util::parse_utc_timestamp(text_of(document, "expireTime"));
  }
  if (const auto seconds = number_of(document, "expires_in")) {
    answer.lifetime = std::chrono::seconds(std::min<std::uint64_t>(*seconds, 86'400));
  }
  // It becomes part of a header field.
  const bool printable = std::ranges::all_of(answer.token, [](char c) { return c > ' ' && c < '\x7f'; });
  if (answer.token.empty() || answer.token.size() > kLongestToken || !printable) {
    return fail(ErrorKind::unavailable, "the server sent no token");
  }
  return answer;
}

std::string parse_token_error(std::string_view text) {
  const json document = parse(text);
  const std::string code = text_of(document, "error");
  if (!code.empty()) return code;
  const json* error = member(document, "error");
  return error == nullptr ? "" : text_of(*error, "status");
}

}  // namespace hearth::store::gcs
