// Whose directory it is, and how it becomes free for a restore.
#include <system_error>

#include "cache/cache.h"
#include "cache/tree/beside.h"
#include "cache/tree/index.h"
#include "util/file.h"

namespace hearth::cache {

namespace fs = std::filesystem;

namespace {

// Another directory that came to lie at the same path is somebody's own.
bool is_ours(const fs::path& directory, const fs::path& index_path) {
  const std::optional<Index> index = read_index(index_path);
  return index && mark_of(directory) == index->directory;
}

}  // namespace

fs::path index_path(const fs::path& directory) {
  const fs::path tidied = tidy(directory);
  return tidied.parent_path() / fmt::format(".{}.hearth-index", tidied.filename().native());
}

Result<void> make_room(const fs::path& directory, const fs::path& index, Replace replace) {
  const fs::path tidied = tidy(directory);
  std::error_code code;
  const fs::file_status status = fs::symlink_status(tidied, code);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::directory) {
    return fail(ErrorKind::invalid, "{} is no directory; name one for the cache", tidied.native());
  }
  const bool empty = fs::is_empty(tidied, code);
  if (code) return fail_errno(code.value(), fmt::format("looking into {}", tidied.native()));
  if (empty || is_ours(tidied, index)) return {};
  if (replace == Replace::no) {
    return fail(ErrorKind::invalid,
                "{} is neither empty nor what a restore has left there; empty it, or replace it with --replace",
                tidied.native());
  }
  return util::remove_tree(tidied);
}

}  // namespace hearth::cache
