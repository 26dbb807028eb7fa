#include "store/s3/documents.h"

#include <charconv>
#include <pugixml.hpp>
#include <sstream>

#include "store/answers.h"
#include "util/text.h"

namespace hearth::store::s3 {
namespace {

constexpr const char* kNamespace = "http://s3.amazonaws.com/doc/2006-03-01/";

Result<pugi::xml_document> parse(std::string_view text, const char* root) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(text.data(), text.size());
  if (!parsed) return fail(ErrorKind::unavailable, "the server's XML cannot be read: {}", parsed.description());
  if (!document.child(root)) {
    return fail(ErrorKind::unavailable, "the server sent <{}> instead of <{}>",
                util::shown(document.document_element().name()), root);
  }
  return document;
}

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

// Some servers write a space as '+', and all write '+' as %2B.
Result<std::string> decoded(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+') c = ' ';
  }
  return util::percent_decode(plain);
}

Result<ListedObject> parse_entry(const pugi::xml_node& entry, bool encoded) {
  ListedObject object;
  object.name = encoded ? TRY(decoded(entry.child_value("Key"))) : entry.child_value("Key");
  object.etag = unquoted(entry.child_value("ETag"));
  const std::string_view size = entry.child_value("Size");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
  const auto modified = util::parse_utc_timestamp(entry.child_value("LastModified"));
  if (object.name.empty() || error != std::errc() || end != size.data() + size.size() || !modified) {
    return fail(ErrorKind::unavailable, "an entry of the server's listing cannot be read");
  }
  object.modified = *modified;
  return object;
}

}  // namespace

ErrorDocument parse_error(std::string_view text) {
  pugi::xml_document document;
  document.load_buffer(text.data(), text.size());
  const pugi::xml_node error = document.child("Error");
  return {.code = error.child_value("Code"),
          .message = error.child_value("Message"),
          .region = error.child_value("Region"),
          .endpoint = error.child_value("Endpoint"),
          .request_id = error.child_value("RequestId")};
}

Result<ListPage> parse_list(std::string_view text) {
  const pugi::xml_document document = TRY(parse(text, "ListBucketResult"));
  const pugi::xml_node list = document.child("ListBucketResult");
  const bool encoded = std::string_view(list.child_value("EncodingType")) == "url";
  ListPage page;
  for (const pugi::xml_node entry : list.children("Contents")) {
    ListedObject object = TRY(parse_entry(entry, encoded));
    page.objects.push_back(std::move(object));
  }
  if (std::string_view(list.child_value("IsTruncated")) != "true") return page;
  page.next = list.child_value("NextContinuationToken");
  if (page.next.empty()) return fail(ErrorKind::unavailable, "the server's listing does not say how it goes on");
  return page;
}

Result<std::string> parse_upload_id(std::string_view text) {
  const pugi::xml_document document = TRY(parse(text, "InitiateMultipartUploadResult"));
  std::string id = document.child("InitiateMultipartUploadResult").child_value("UploadId");
  if (id.empty()) return fail(ErrorKind::unavailable, "the server named no upload");
  return id;
}

std::string complete_document(std::span<const Part> parts) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  root.append_attribute("xmlns") = kNamespace;
  for (const Part& part : parts) {
    pugi::xml_node node = root.append_child("Part");
    node.append_child("PartNumber").text() = part.number;
    node.append_child("ETag").text() = part.etag.c_str();
  }
  return text_of(document);
}

Result<std::string> parse_completed(std::string_view text) {
  const pugi::xml_document document = TRY(parse(text, "CompleteMultipartUploadResult"));
  std::string etag = unquoted(document.child("CompleteMultipartUploadResult").child_value("ETag"));
  if (etag.empty()) return fail(ErrorKind::unavailable, "the server named no ETag of the completed upload");
  return etag;
}

std::string delete_document(std::span<const std::string> names) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_attribute("xmlns") = kNamespace;
  root.append_child("Quiet").text() = "true";
  for (const std::string& name : names) root.append_child("Object").append_child("Key").text() = name.c_str();
  return text_of(document);
}

Result<DeleteFailure> parse_deleted(std::string_view text) {
  const pugi::xml_document document = TRY(parse(text, "DeleteResult"));
  for (const pugi::xml_node error : document.child("DeleteResult").children("Error")) {
    const std::string code = error.child_value("Code");
    if (code == "NoSuchKey") continue;
    return DeleteFailure{.name = error.child_value("Key"), .code = code.empty() ? "an unnamed error" : code};
  }
  return DeleteFailure{};
}

std::string location_document(const std::string& region) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CreateBucketConfiguration");
  root.append_attribute("xmlns") = kNamespace;
  root.append_child("LocationConstraint").text() = region.c_str();
  return text_of(document);
}

}  // namespace hearth::store::s3
