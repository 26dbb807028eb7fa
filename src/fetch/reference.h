// Where a tree comes from: "url", "url#ref" or a directory, as users write it.
#pragma once

#include <string>
#include <string_view>

#include "util/error.h"

namespace hearth::fetch {

enum class Medium {
  directory,  // a local path, or file:// to something that is no git repository
  git,        // https, http, ssh, git@host:path, file, or a local repository with "#ref"
  tarball,    // http(s) URL that ends in .tgz .tar.gz .tbz .tar.bz .tar.bz2 .tar.xz .tar.zst .tar
};

struct Reference {
  Medium medium = Medium::directory;
  std::string location;  // URL or path, without "#ref"
  std::string revision;  // branch, tag or sha; empty: the remote's HEAD
};

// The operator named it, or the app's own files or config vars did. The app may name https and ssh only
// (and http tarballs are refused too); never file:// or an absolute path.
enum class Origin { operator_named, app_named };

// Decides the medium by form, then (operator only) by what is on disk. Unusable text, a revision that starts with '-'
// or holds control characters, and what the origin forbids are invalid.
Result<Reference> parse_reference(std::string_view text, Origin origin);

// The text without the userinfo and the query of each URL in it ("https://***@host/x?***#main"), for logs, reports and
// messages: a presigned URL is a password.
std::string masked(std::string_view text);

}  // namespace hearth::fetch
