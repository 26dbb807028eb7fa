#include "cache/generations/inspect.h"

#include <algorithm>
#include <charconv>

#include "cache/generations/manifest_store.h"
#include "util/text.h"

namespace hearth::cache {

namespace {

// HEADs come first in the order of the names, so what follows them need not be listed.
constexpr ErrorKind kEnough = ErrorKind::conflict;

}  // namespace

Result<std::vector<Name>> find_caches(store::ObjectStore& store, const std::stop_token& stop) {
  std::vector<Name> names;
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    if (std::optional<Name> name = Layout::name_of(info.key)) names.push_back(std::move(*name));
    return {};
  };
  TRY(store.list(Layout::all(), visit, stop));
  return names;
}

Result<std::vector<Name>> find_caches(store::ObjectStore& store, std::string_view app, const std::stop_token& stop) {
  const store::Prefix prefix = TRY(Layout::caches_of(app));
  std::vector<Name> names;
  bool enough = false;
  const auto visit = [&](const store::ObjectInfo& info) -> Result<void> {
    if (std::optional<Name> name = Layout::name_of(info.key)) names.push_back(std::move(*name));
    enough = Layout::has_object(info.key);
    if (enough) return fail(kEnough, "all HEADs were seen");
    return {};
  };
  const Result<void> listed = store.list(prefix, visit, stop);
  if (!listed && !enough) return std::unexpected(listed.error());
  return names;
}

Result<HeadRead> read_usable_head(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop) {
  HeadRead read = TRY(read_head(store, layout, stop));
  const Name& name = layout.name();
  switch (read.state) {
    case HeadState::readable:
      return read;
    case HeadState::absent:
      return fail(ErrorKind::not_found, "{} has no cache for {}-{}", name.app, name.stack, name.arch);
    case HeadState::newer:
      return fail(ErrorKind::invalid, "{}", read.problem);
    case HeadState::corrupt:
      break;
  }
  return fail(ErrorKind::corrupt, "{}", read.problem);
}

Result<const Generation*> choose_generation(const Head& head, std::string_view which, Among among) {
  if (is_id(which)) {
    if (const Generation* found = find_generation(head, which)) return found;
    const auto aside = std::ranges::find(head.aside, which, &Generation::id);
    if (among == Among::in_force_and_aside && aside != head.aside.end()) return &*aside;
    return fail(ErrorKind::not_found, "there is no generation {}{}", which,
                aside == head.aside.end() ? "" : " in force: it was rolled back");
  }
  if (head.generations.empty()) return fail(ErrorKind::not_found, "the cache is empty");
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), number);
  if (error != std::errc() || end != which.data() + which.size()) {
    return fail(ErrorKind::invalid,
                "\"{}\" names no generation: give its number (0 is the newest), or its id of 16 digits",
                util::shown(which));
  }
  if (number >= head.generations.size()) {
    return fail(ErrorKind::not_found, "there is no generation {}: the cache has {}, and 0 is the newest", number,
                head.generations.size());
  }
  return &head.generations[number];
}

Result<OpenedGeneration> open_generation(store::ObjectStore& store, const Layout& layout, const Head& head,
                                         const Generation& generation, const std::stop_token& stop) {
  std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store, layout, head, generation, stop);
  if (loaded) return OpenedGeneration{head.epoch, generation, std::move(loaded->manifest)};
  Error error = std::move(loaded).error().error;
  // That an object is missing is not the same as that there is no cache.
  if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::corrupt;
  return std::unexpected(std::move(error));
}

Result<OpenedGeneration> open_generation(store::ObjectStore& store, const Layout& layout, std::string_view which,
                                         const std::stop_token& stop) {
  const auto attempt = [&]() -> Result<OpenedGeneration> {
    const HeadRead read = TRY(read_usable_head(store, layout, stop));
    const Head& head = read.seen.head;
    const Generation* generation = TRY(choose_generation(head, which, Among::in_force_and_aside));
    return open_generation(store, layout, head, *generation, stop);
  };
  Result<OpenedGeneration> opened = attempt();
  // What is missing may have been dropped and collected since HEAD was read; a second look tells.
  return opened || opened.error().kind != ErrorKind::corrupt ? std::move(opened) : attempt();
}

std::string_view entry_path(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path == "." ? "" : path;
}

Entry resolved(const Manifest& manifest, const Entry& entry) {
  if (entry.kind != EntryKind::hard_link) return entry;
  // A manifest that was decoded has it.
  return manifest.entries[manifest.entries.find(entry.target).value()];
}

TreeSize size_of(const Manifest& manifest) {
  TreeSize size{.entries = manifest.entries.size(), .bytes = 0};
  for (std::size_t index = 0; index < manifest.entries.size(); ++index) size.bytes += manifest.entries[index].size;
  return size;
}

}  // namespace hearth::cache
