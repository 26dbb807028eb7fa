// What a store's URL, the environment and AWS's shared files say of an S3 store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/client.h"
#include "store/s3/credentials.h"
#include "store/store_url.h"
#include "util/error.h"

namespace hearth::store::s3 {

enum class Addressing { path, virtual_host };

struct S3Options {
  std::string bucket;
  std::string prefix;  // "" or ends in '/'
  std::string shown;   // the URL, for messages
  std::string region;
  std::string endpoint;  // scheme://host[:port], of the service and not of the bucket
  // Amazon's own, which is known to honour conditions, and whose endpoints follow the region.
  bool is_amazon = false;
  Addressing addressing = Addressing::virtual_host;
  std::string sse;              // "", AES256, aws:kms, aws:kms:dsse
  std::string kms_key;          // "": the account's own
  std::string storage_class;    // "": the bucket's default
  std::string profile;          // "": as the environment says
  std::uint32_t transfers = 4;  // parts of one object that travel at a time
  http::ClientOptions http;
};

// From s3://bucket/prefix?region=&endpoint=&path-style=&sse=&kms-key=&storage-class=&profile=&transfers=&
// connect-timeout=&progress-timeout=&request-timeout=. What the URL does not say comes from AWS_REGION,
// AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_CA_BUNDLE, and the profile's region, endpoint_url and
// ca_bundle; a region that is said nowhere is us-east-1. invalid: see StoreUrl and Parameters.
Result<S3Options> read_options(StoreUrl url, const Environment& environment);

// Letters, digits and '-': what may become part of a host name, whoever named it.
bool is_region(std::string_view text);

// "https://s3.eu-west-1.amazonaws.com".
std::string amazon_endpoint(const std::string& region);

}  // namespace hearth::store::s3
