#include "build/app_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "util/file.h"
#include "util/rooted_tree.h"

namespace hearth::build {

namespace fs = std::filesystem;

Result<void> write_app_file(const fs::path& app_dir, const std::string& name, std::string_view bytes,
                            std::optional<uid_t> owner) {
  util::RootedTree tree = TRY(util::RootedTree::open(app_dir, owner));
  const util::Fd file = TRY(tree.create_file(name));
  TRY(within(name, util::write_full(file.get(), bytes)));
  if (::fchmod(file.get(), 0644) != 0) return fail_errno(errno, name);
  return tree.finish({});
}

}  // namespace hearth::build
