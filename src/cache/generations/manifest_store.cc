#include "cache/generations/manifest_store.h"

#include <algorithm>
#include <future>

#include "cache/tree/parallel.h"

namespace hearth::cache {

namespace {

using Bytes = std::vector<std::byte>;

// The object if it is what HEAD says, byte for byte.
Result<Bytes> fetch(store::ObjectStore& store, const Layout& layout, const ObjectName& object, const ManifestName& name,
                    const std::stop_token& stop) {
  // One byte more than HEAD says, so that a larger object shows.
  store::Object got = TRY(store.get(layout.key(object), {.offset = 0, .length = name.bytes + 1}, stop));
  if (got.bytes.size() != name.bytes) {
    return fail(ErrorKind::corrupt, "{} bytes instead of {}", got.bytes.size(), name.bytes);
  }
  if (util::sha256(got.bytes) != name.digest) return fail(ErrorKind::corrupt, "it does not have its SHA-256");
  return std::move(got.bytes);
}

std::vector<Result<Bytes>> fetch_all(store::ObjectStore& store, const Layout& layout, const Head& head,
                                     std::span<const ManifestName> names, const std::stop_token& stop) {
  std::vector<std::future<Result<Bytes>>> requests;
  for (const ManifestName& name : names) {
    requests.push_back(in_background(
        [&] { return fetch(store, layout, {head.epoch, ObjectKind::manifest, name.save, 0}, name, stop); }));
  }
  std::vector<Result<Bytes>> objects;
  objects.reserve(requests.size());
  for (auto& request : requests) objects.push_back(request.get());
  return objects;
}

Result<void> names_its_packs(const Generation& generation, const Manifest& manifest) {
  for (const PackName& pack : manifest.packs) {
    if (!std::ranges::binary_search(generation.packs, pack)) {
      return fail(ErrorKind::corrupt, "its manifest uses pack {}-{}, which HEAD does not name for it", pack.save,
                  pack.number);
    }
  }
  return {};
}

// A restore fetches each of a chain, and what is small is soon written in full.
std::size_t longest_chain(const Manifest& manifest) {
  return std::clamp<std::size_t>(manifest.packs.size() / 4, 2, kChainLimit);
}

// The chain is short, nothing inline has to be referred to, and nothing of it is known to be damaged.
bool allows_delta(const Head& head, const Manifest& manifest, const DeltaBase& base) {
  return base.generation.manifests.size() < longest_chain(manifest) && manifest.inline_bytes.empty() &&
         base.manifest.inline_bytes.empty() && find_generation(head, base.generation.id) != nullptr &&
         std::ranges::none_of(
             base.generation.manifests,
             [&](const ManifestName& name) { return is_bad(head, {head.epoch, ObjectKind::manifest, name.save, 0}); });
}

}  // namespace

Generation in_place_of(const Generation& before, Generation made) {
  Generation result = before;
  result.id = std::move(made.id);
  result.manifests = std::move(made.manifests);
  result.packs = std::move(made.packs);
  return result;
}

std::expected<LoadedManifest, LoadFailure> load_manifest(store::ObjectStore& store, const Layout& layout,
                                                         const Head& head, const Generation& generation,
                                                         std::stop_token stop,
                                                         const std::optional<KnownManifest>& known) {
  const auto failure = [&](Error error, std::size_t link) {
    const ObjectName object{head.epoch, ObjectKind::manifest, generation.manifests[link].save, 0};
    error.message = fmt::format("{}: {}", object.text(), error.message);
    const bool damaged = error.kind == ErrorKind::corrupt || error.kind == ErrorKind::not_found;
    return std::unexpected(LoadFailure{std::move(error), damaged ? std::optional(object) : std::nullopt});
  };
  std::span<const ManifestName> names(generation.manifests);
  LoadedManifest loaded;
  if (known) {
    const auto found = std::ranges::find(names, known->generation, &ManifestName::save);
    if (found != names.end()) {
      names = names.first(static_cast<std::size_t>(found - names.begin()));
      loaded.manifest = known->manifest;
    }
  }
  const std::vector<Result<Bytes>> objects = fetch_all(store, layout, head, names, stop);
  for (std::size_t link = objects.size(); link-- > 0;) {
    if (!objects[link]) return failure(objects[link].error(), link);
    loaded.fetched_bytes += objects[link]->size();
    const bool full = link + 1 == generation.manifests.size();
    Result<Manifest> manifest =
        full ? decode_manifest(*objects[link])
             : decode_delta(*objects[link], loaded.manifest, generation.manifests[link + 1].digest);
    if (!manifest) return failure(manifest.error(), link);
    loaded.manifest = std::move(*manifest);
  }
  const Result<void> packs = names_its_packs(generation, loaded.manifest);
  if (!packs) return failure(packs.error(), 0);
  return loaded;
}

Result<StoredManifest> store_manifest(store::ObjectStore& store, const Layout& layout, const Seen& opened,
                                      const std::string& save, const Manifest& manifest,
                                      const std::optional<DeltaBase>& base, std::stop_token stop) {
  const Result<void> good = check(manifest);
  if (!good) return fail(ErrorKind::invalid, "the new manifest is wrong: {}", good.error().message);
  StoredManifest stored;
  Generation& generation = stored.generation;
  generation.id = save;
  generation.saved = opened.now;
  generation.packs = manifest.packs;
  std::ranges::sort(generation.packs);
  Bytes object;
  if (base && allows_delta(opened.head, manifest, *base)) {
    object = TRY(encode_delta(manifest, base->manifest, base->generation.manifests.front().digest));
  }
  // A delta that comes near the size of the full manifest below it is not worth a longer chain.
  if (!object.empty() && object.size() < base->generation.manifests.back().bytes / 2) {
    generation.manifests = base->generation.manifests;
  } else {
    object = TRY(encode_manifest(manifest));
  }
  generation.manifests.insert(generation.manifests.begin(), {save, object.size(), util::sha256(object)});
  const ObjectName name{opened.head.epoch, ObjectKind::manifest, save, 0};
  TRY(within("storing the manifest",
             store.put(layout.key(name), std::span<const std::byte>(object), store::Condition::none(), stop)));
  stored.bytes = object.size();
  return stored;
}

}  // namespace hearth::cache
