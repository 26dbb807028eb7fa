// What Google's servers send: JSON of objects, listings, errors and tokens.
#include "fuzz/fuzz.h"
#include "store/gcs/documents.h"
#include "store/gcs/errors.h"

namespace hearth::fuzz {
namespace {

namespace gcs = hearth::store::gcs;

void check(const gcs::Resource& resource) {
  expect(!resource.name.empty(), "an object has a name");
  expect(!resource.generation.empty() && resource.generation != "0", "an object that is there has a generation");
}

const Registration kTarget("gcs_answers", [](Bytes input) {
  const std::string_view text = text_of(input);
  if (const auto resource = gcs::parse_resource(text)) check(*resource);
  if (const auto page = gcs::parse_list(text)) {
    for (const gcs::Resource& resource : page->objects) check(resource);
  }
  const gcs::ErrorDocument error = gcs::parse_error(text);
  for (const int status : {400, 403, 404, 412, 503}) {
    const ErrorKind kind = gcs::kind_of(status, error);
    expect(kind != ErrorKind::cancelled && kind != ErrorKind::io, "an answer is neither our stop nor our machine");
  }
  if (const auto token = gcs::parse_token(text)) {
    expect(token->token.find_first_of("\r\n ") == std::string::npos, "a token fits into a header field");
  }
  static_cast<void>(gcs::parse_token_error(text));
  if (const auto crc = gcs::decode_crc32c(text)) {
    expect(gcs::decode_crc32c(gcs::encode_crc32c(*crc)) == crc, "a hash comes back");
  }
});

}  // namespace
}  // namespace hearth::fuzz
