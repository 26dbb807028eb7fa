// What Azure Blob Storage sends, and the connection strings that operators paste.
#include "fuzz/fuzz.h"
#include "store/azure/connection_string.h"
#include "store/azure/documents.h"
#include "store/azure/names.h"
#include "store/object_store.h"

namespace hearth::fuzz {
namespace {

namespace azure = hearth::store::azure;

void read_names(const std::string& text) {
  if (const auto key = azure::key_of_blob(text)) expect(azure::blob_name(*key) == text, "a name comes back");
  if (!store::Key::parse(text)) return;
  const std::string name = azure::blob_name(text);
  const auto key = azure::key_of_blob(name);
  expect(key && *key == text, "a key comes back");
  expect(!name.contains('\\') && !name.contains("./") && !name.ends_with('.'), "Azure takes the name as it is");
}

// Bytewise order of two keys is that of their names.
void compare_halves(const std::string& text) {
  const std::string one = text.substr(0, text.size() / 2);
  const std::string other = text.substr(text.size() / 2);
  if (!store::Key::parse(one) || !store::Key::parse(other)) return;
  expect((one < other) == (azure::blob_name(one) < azure::blob_name(other)), "names are sorted as their keys");
}

const Registration kTarget("azure_answers", [](Bytes input) {
  const std::string text(text_of(input));
  if (const auto page = azure::parse_list(text)) {
    for (const azure::ListedBlob& blob : page->blobs) {
      expect(!blob.name.empty() && !blob.etag.empty(), "a blob has a name and a version");
    }
  }
  static_cast<void>(azure::parse_error_code(text));
  if (const auto connection = azure::parse_connection_string(text)) {
    expect(!connection->endpoint.ends_with('/'), "an endpoint ends without '/'");
  }
  read_names(text);
  compare_halves(text);
});

}  // namespace
}  // namespace hearth::fuzz
