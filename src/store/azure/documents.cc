#include "store/azure/documents.h"

#include <charconv>
#include <pugixml.hpp>
#include <sstream>

#include "http/headers.h"
#include "store/answers.h"
#include "util/text.h"

namespace hearth::store::azure {
namespace {

// A name may be a single space.
constexpr unsigned kParsing = pugi::parse_default | pugi::parse_ws_pcdata_single;

Result<std::string> name_of(const pugi::xml_node& blob) {
  const pugi::xml_node name = blob.child("Name");
  if (name.attribute("Encoded").as_bool()) return util::percent_decode(name.child_value());
  return std::string(name.child_value());
}

Result<ListedBlob> parse_blob(const pugi::xml_node& blob) {
  const pugi::xml_node properties = blob.child("Properties");
  const Result<std::string> name = name_of(blob);
  const std::string_view size = properties.child_value("Content-Length");
  const auto modified = http::parse_date(properties.child_value("Last-Modified"));
  ListedBlob listed{.name = name.value_or(""),
                    .size = 0,
                    .etag = unquoted(properties.child_value("Etag")),
                    .modified = modified.value_or(StoreTime())};
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), listed.size);
  if (listed.name.empty() || listed.etag.empty() || error != std::errc() || end != size.data() + size.size() ||
      !modified) {
    return fail(ErrorKind::unavailable, "an entry of the server's listing cannot be read");
  }
  return listed;
}

bool is_directory(const pugi::xml_node& blob) {
  return std::string_view(blob.child("Properties").child_value("ResourceType")) == "directory";
}

}  // namespace

std::string parse_error_code(std::string_view text) {
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  return document.child("Error").child_value("Code");
}

Result<ListPage> parse_list(std::string_view text) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size(), kParsing);
  if (!parsed) return fail(ErrorKind::unavailable, "the server's XML cannot be read: {}", parsed.description());
  const pugi::xml_node list = document.child("EnumerationResults");
  if (!list.child("Blobs")) return fail(ErrorKind::unavailable, "the server sent no listing");
  ListPage page;
  for (const pugi::xml_node blob : list.child("Blobs").children("Blob")) {
    if (is_directory(blob)) continue;
    ListedBlob listed = TRY(parse_blob(blob));
    page.blobs.push_back(std::move(listed));
  }
  page.next = list.child_value("NextMarker");
  return page;
}

std::string block_list_document(std::span<const std::string> ids) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("BlockList");
  for (const std::string& id : ids) root.append_child("Latest").text() = id.c_str();
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

}  // namespace hearth::store::azure
