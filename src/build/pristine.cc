#include "build/pristine.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "build/ssh_agent.h"
#include "util/copy_tree.h"
#include "util/file.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::array kKept = {"build", "buildpacks"};

fs::path place(const WorkDir& work) {
  return work.own() / "pristine";
}

Result<void> make_for(const fs::path& directory, std::optional<uid_t> owner) {
  TRY(util::make_directories(directory));
  if (owner && ::lchown(directory.c_str(), *owner, *owner) != 0) return fail_errno(errno, directory.native());
  return {};
}

Result<void> empty(const fs::path& directory, std::string_view but) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename() != but) entries.push_back(entry->path());
  }
  if (error) return fail_errno(error.value(), directory.native());
  for (const fs::path& entry : entries) TRY(util::remove_tree(entry));
  return {};
}

Result<void> copy_both(const WorkDir& work, std::optional<uid_t> owner, const std::stop_token& stop) {
  for (const char* name : kKept) {
    const fs::path copy = place(work) / name;
    TRY(make_for(copy, owner));
    TRY(util::copy_tree(work.tmp() / name, copy, {.owner = owner, .mtimes = util::Mtimes::as_stored, .leave_out = {}},
                        stop));
  }
  return {};
}

}  // namespace

Result<void> keep_pristine(const WorkDir& work, std::optional<uid_t> owner, const std::stop_token& stop) {
  TRY(util::remove_tree(place(work)));
  Result<void> copied = copy_both(work, owner, stop);
  // The compile that follows may need the space.
  if (!copied) drop_pristine(work);
  return copied;
}

void drop_pristine(const WorkDir& work) {
  std::ignore = util::remove_tree(place(work));
}

Result<void> put_back_pristine(const WorkDir& work, std::optional<uid_t> owner) {
  TRY(empty(work.tmp(), kKnownHostsFile));
  TRY(empty(work.app(), {}));
  for (const char* name : kKept) {
    if (::rename((place(work) / name).c_str(), (work.tmp() / name).c_str()) != 0) {
      return fail_errno(errno, fmt::format("putting {} back", (work.tmp() / name).native()));
    }
  }
  for (const fs::path& directory : {work.env(), work.cache(), work.scratch()}) TRY(make_for(directory, owner));
  return {};
}

}  // namespace hearth::build
