#include "fetch/reference.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "util/text.h"

namespace hearth::fetch {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTarballEndings = {".tgz",     ".tar.gz", ".tbz", ".tar.bz",   ".tar.bz2",
                                        ".tar.zst", ".tar.xz", ".txz", ".tar.zstd", ".tar"};

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "https" of "https://…"; empty where there is no scheme.
std::string scheme_of(std::string_view text) {
  const auto end = text.find("://");
  if (end == std::string_view::npos || end == 0) return "";
  std::string scheme = util::lower(text.substr(0, end));
  for (const char c : scheme) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') return "";
  }
  return scheme;
}

// "user@host:path", as ssh remotes are written; no "::", which names git's remote helpers.
bool is_scp_form(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  const std::string_view host = text.substr(0, colon);
  const auto at = host.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != host.size() && !host.contains('/') && host[0] != '-' &&
         host[at + 1] != '-' && text[colon + 1] != ':';
}

bool names_tarball(std::string_view url) {
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  return std::ranges::any_of(kTarballEndings, [&](std::string_view ending) { return path.ends_with(ending); });
}

// What git-check-ref-format(1) refuses in a name, and what would be an option or a refspec.
Result<void> check_revision(std::string_view revision) {
  const bool odd = revision.find_first_of(" ~^:?*[\\") != std::string_view::npos || revision.contains("..") ||
                   revision.contains("@{") || revision.starts_with('-') || revision.starts_with('+') ||
                   revision.starts_with('/') || revision.size() > 255;
  if (odd) return fail(ErrorKind::invalid, "'{}' cannot be a branch, tag or sha", revision);
  return {};
}

// A host that begins with '-' would be an option of ssh.
Result<void> check_host(std::string_view url, std::string_view scheme) {
  std::string_view host = url.substr(scheme.size() + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto at = host.rfind('@'); at != std::string_view::npos) host.remove_prefix(at + 1);
  if (host.empty() || host.starts_with('-')) return fail(ErrorKind::invalid, "{} names no host", masked(url));
  return {};
}

struct Parts {
  std::string_view location;
  std::string_view revision;
};

Parts split_revision(std::string_view text) {
  const auto hash = text.rfind('#');
  if (hash == std::string_view::npos) return {text, {}};
  return {text.substr(0, hash), text.substr(hash + 1)};
}

bool is_bare_repository(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path / "HEAD", ignored) && fs::is_directory(path / "objects", ignored);
}

bool is_repository(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path / ".git", ignored) || is_bare_repository(path);
}

// Of a URL behind its "://", up to white space or a quote: where its userinfo ends, npos if it has none. A raw '/' or
// '?' in a password is not legal, yet it is written, so whatever precedes an '@' in the same word counts too.
std::size_t end_of_userinfo(std::string_view word) {
  const std::string_view authority = word.substr(0, word.find_first_of("/?#"));
  const auto at = authority.rfind('@');
  if (at != std::string_view::npos || !authority.contains(':') || authority.contains(']')) return at;
  const std::string_view port = authority.substr(authority.rfind(':') + 1);
  const bool is_port = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  return is_port ? at : word.rfind('@');
}

// The query ends where the revision begins, or with the word, but for what a sentence puts behind it.
std::size_t end_of_query(std::string_view word, std::size_t query) {
  const auto hash = word.rfind('#');
  if (hash != std::string_view::npos && hash > query) return hash;
  return word.find_last_not_of(".,:;)") + 1;
}

Result<Reference> remote(Medium medium, std::string_view location, std::string_view revision) {
  if (medium == Medium::git) TRY(check_revision(revision));
  return Reference{medium, std::string(location), std::string(revision)};
}

Result<Reference> with_scheme(std::string_view text, const std::string& scheme, Origin origin) {
  const Parts parts = split_revision(text);
  if (scheme == "ssh" || scheme == "https" || (scheme == "http" && origin == Origin::operator_named)) {
    TRY(check_host(parts.location, scheme));
    const bool tarball = scheme != "ssh" && names_tarball(parts.location);
    return remote(tarball ? Medium::tarball : Medium::git, parts.location, parts.revision);
  }
  if (origin == Origin::app_named) {
    return fail(ErrorKind::invalid,
                "{}: an app may name https://, ssh://, git@host:path or a path inside itself, not {}://", masked(text),
                scheme);
  }
  if (scheme != "file") {
    return fail(ErrorKind::invalid, "{}: expected https://, http://, ssh://, git@host:path, file:// or a directory",
                masked(text));
  }
  const fs::path path = parts.location.substr(7);
  if (!path.is_absolute()) return fail(ErrorKind::invalid, "{}: file:// needs an absolute path", text);
  if (is_repository(path)) return remote(Medium::git, path.native(), parts.revision);
  return Reference{Medium::directory, std::string(text.substr(7)), ""};
}

// Only what stands on disk tells "dir#ref" from a directory whose name has a '#' in it.
Result<Reference> local(std::string_view text, Origin origin) {
  const fs::path whole = text;
  if (origin == Origin::app_named) {
    const bool leaves = std::ranges::any_of(whole, [](const fs::path& part) { return part == ".."; });
    if (whole.is_absolute() || leaves || text.starts_with('~')) {
      return fail(ErrorKind::invalid, "{}: an app may name https://, ssh://, git@host:path or a path inside itself",
                  text);
    }
    return Reference{Medium::directory, std::string(text), ""};
  }
  std::error_code ignored;
  const Parts parts = split_revision(text);
  const bool has_revision = text.contains('#') && !parts.location.empty() && !fs::exists(whole, ignored);
  if (has_revision && is_repository(parts.location)) {
    return remote(Medium::git, parts.location, parts.revision);
  }
  if (is_bare_repository(whole)) return remote(Medium::git, text, "");
  return Reference{Medium::directory, std::string(text), ""};
}

}  // namespace

Result<Reference> parse_reference(std::string_view text, Origin origin) {
  text = util::trim(text);
  if (has_control(text)) return fail(ErrorKind::invalid, "a URL or path with control characters in it");
  if (text.empty()) return fail(ErrorKind::invalid, "an empty URL or path");
  if (text.starts_with('-')) return fail(ErrorKind::invalid, "'{}' looks like an option; write ./{}", text, text);
  if (const std::string scheme = scheme_of(text); !scheme.empty()) return with_scheme(text, scheme, origin);
  std::error_code ignored;
  const bool on_disk = origin == Origin::operator_named && fs::exists(fs::path(text), ignored);
  if (!on_disk && is_scp_form(text)) {
    const Parts parts = split_revision(text);
    return remote(Medium::git, parts.location, parts.revision);
  }
  if (!on_disk && text.find("::") != std::string_view::npos)
    return fail(ErrorKind::invalid, "{}: git's remote helpers are not supported", masked(text));
  return local(text, origin);
}

std::string masked(std::string_view text) {
  std::string result;
  for (auto start = text.find("://"); start != std::string_view::npos; start = text.find("://")) {
    start += 3;
    result += text.substr(0, start);
    text.remove_prefix(start);
    std::string_view word = text.substr(0, text.find_first_of(" \t\r\n'\"<>"));
    if (const auto at = end_of_userinfo(word); at != std::string_view::npos) {
      result += "***";
      text.remove_prefix(at);
      word.remove_prefix(at);
    }
    const auto query = word.find('?');
    // A URL within the path is looked at by itself.
    if (query == std::string_view::npos || word.substr(0, query).contains("://")) continue;
    result += word.substr(0, query);
    result += "?***";
    text.remove_prefix(end_of_query(word, query));
  }
  return result += text;
}

}  // namespace hearth::fetch
