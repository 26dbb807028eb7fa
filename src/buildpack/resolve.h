// From what a user wrote to what can be fetched.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fetch/reference.h"

namespace hearth::buildpack {

// docker:// and urn:cnb: name Cloud Native Buildpacks: invalid, and the message says what to use.
Result<void> check_classic(std::string_view text);

// "owner/name", "owner/name#ref" or "urn:buildpack:owner/name" through the alias table: an exact key wins over the
// longest one that ends in '*', whose rest takes the place of the '*' of the value. Absent where no key fits.
std::optional<std::string> alias(std::string_view text, const std::map<std::string, std::string>& aliases);

// Through the aliases first (their values are the operator's word), then as the origin may name things.
Result<fetch::Reference> resolve(std::string_view text, const std::map<std::string, std::string>& aliases,
                                 fetch::Origin origin);

// The last part of a URL or path, without endings, fit for a folder's name: "nodejs" of "https://host/nodejs.git".
std::string short_name(std::string_view location);

}  // namespace hearth::buildpack
