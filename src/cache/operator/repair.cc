#include "cache/operator/repair.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "cache/format/content_digest.h"
#include "cache/format/rewrite.h"
#include "cache/generations/commit.h"
#include "cache/generations/manifest_store.h"
#include "cache/packs/pack_search.h"
#include "cache/packs/pack_writer.h"
#include "cache/restore/block_recovery.h"
#include "cache/restore/local_content.h"

namespace hearth::cache {

namespace {

// A generation that is not whole.
struct Patient {
  Generation generation;
  Manifest manifest;
  std::vector<std::uint32_t> moved;  // by block: its number in lost_, or kStays
  std::set<std::string> missing;     // files whose content is not to be had
};
constexpr std::uint32_t kStays = UINT32_MAX;

class Repairer {
 public:
  Repairer(store::ObjectStore& store, const Layout& layout, const std::filesystem::path& directory, unsigned threads,
           const std::stop_token& stop)
      : store_(store), layout_(layout), directory_(directory), threads_(threads), stop_(stop) {}

  RepairReport run() {
    const Result<void> done = mend();
    if (!done) {
      report_.outcome = VerifyOutcome::unavailable;
      report_.error = done.error();
    }
    return std::move(report_);
  }

 private:
  Result<void> mend() {
    const HeadRead read = TRY(read_head(store_, layout_, stop_));
    if (read.state != HeadState::readable) {
      report_.outcome = read.state == HeadState::absent ? VerifyOutcome::absent : VerifyOutcome::damaged;
      if (read.state != HeadState::absent) report_.damaged_objects.push_back({"HEAD", read.problem});
      return {};
    }
    seen_ = read.seen;
    TRY(find_patients());
    if (!patients_.empty()) TRY(treat());
    report_.outcome = report_.left.empty() ? VerifyOutcome::sound : VerifyOutcome::damaged;
    return {};
  }

  Result<void> find_patients() {
    std::vector<Generation> all = seen_.head.generations;
    all.insert(all.end(), seen_.head.aside.begin(), seen_.head.aside.end());
    PackSearch search(store_, layout_, seen_.head.epoch, threads_, stop_);
    TRY(search.look_at_packs(all));
    std::map<std::string, std::string> damaged;
    for (const ObjectName& object : seen_.head.bad) damaged.emplace(object.text(), "HEAD calls it bad");
    for (const Generation& generation : all) {
      std::expected<LoadedManifest, LoadFailure> loaded = load_manifest(store_, layout_, seen_.head, generation, stop_);
      if (!loaded && !loaded.error().damaged) return std::unexpected(std::move(loaded).error().error);
      if (!loaded) {
        search.tell_packs(generation);
        damaged.insert_or_assign(loaded.error().damaged->text(), loaded.error().error.message);
        report_.left.push_back({generation.id, true, {}});
        continue;
      }
      TRY(examine(generation, std::move(loaded->manifest), search));
    }
    for (const auto& [object, problem] : search.damaged()) damaged.insert_or_assign(object, problem);
    for (const auto& [object, problem] : damaged) report_.damaged_objects.push_back({object, problem});
    return {};
  }

  // Of a pack that is damaged, or only called bad, nothing stays where it is.
  Result<void> examine(const Generation& generation, Manifest manifest, PackSearch& search) {
    const std::vector<bool> bad = TRY(search.bad_blocks(manifest, generation));
    const std::set<ObjectName> called_bad(seen_.head.bad.begin(), seen_.head.bad.end());
    std::vector<bool> leaves;
    for (const PackName& pack : manifest.packs) {
      const ObjectName name{seen_.head.epoch, ObjectKind::pack, pack.save, pack.number};
      leaves.push_back(search.is_damaged(pack) || called_bad.contains(name));
    }
    if (std::ranges::find(leaves, true) == leaves.end() && !names_bad(seen_.head, generation)) return {};
    Patient patient{.generation = generation, .manifest = std::move(manifest), .moved = {}, .missing = {}};
    patient.moved.assign(patient.manifest.blocks.size(), kStays);
    for (std::size_t index = 0; index < patient.moved.size(); ++index) {
      const Block& block = patient.manifest.blocks[index];
      if (block.pack == kInline || !leaves[block.pack]) continue;
      patient.moved[index] = number_of(patient.manifest.packs[block.pack], block, !bad[index], search);
    }
    patients_.push_back(std::move(patient));
    return {};
  }

  // Generations share blocks: those that are the same in all that a manifest says of them.
  std::uint32_t number_of(const PackName& pack, const Block& block, bool good, const PackSearch& search) {
    const auto [known, is_new] =
        numbers_.try_emplace({pack, block.offset, block.stored_bytes, block.raw_bytes, block.encoding, block.digest},
                             static_cast<std::uint32_t>(lost_.size()));
    if (!is_new) return known->second;
    LostBlock lost{.pack = pack, .block = block, .good = good, .chunks = {}, .holders = {}};
    // A trailer that speaks of another block there says nothing of where anything lies in this one.
    for (const PackedBlock& packed : search.trailer_of(pack)) {
      if (packed.block.offset == block.offset && same_stored(packed.block, block)) lost.chunks = packed.chunks;
    }
    lost_.push_back(std::move(lost));
    return known->second;
  }

  Result<void> treat() {
    LocalContent local = TRY(LocalContent::open(directory_, stop_));
    for (std::uint32_t owner = 0; owner < patients_.size(); ++owner) add_holders(owner, local);
    BlockRecovery recovery(store_, layout_, seen_.head.epoch, local, stop_);
    TRY(diagnose(recovery));
    if (!recovery.wanted().empty()) {
      // What lies at another path now.
      TRY(local.look_for(recovery.wanted(), stop_));
      TRY(diagnose(recovery));
    }
    for (const Patient& patient : patients_) {
      if (patient.missing.empty()) continue;
      report_.left.push_back(
          {patient.generation.id, false, std::vector<std::string>(patient.missing.begin(), patient.missing.end())});
    }
    const bool any = std::ranges::any_of(patients_, [](const Patient& patient) { return patient.missing.empty(); });
    return any ? replace(recovery) : Result<void>();
  }

  void add_holders(std::uint32_t owner, const LocalContent& local) {
    const Patient& patient = patients_[owner];
    const std::vector<std::string> unchanged =
        local.unchanged_since(patient.generation.id, seen_.head.epoch, layout_.head().text(), store_.description());
    for (std::size_t index = 0; index < patient.manifest.entries.size(); ++index) {
      const Entry entry = patient.manifest.entries[index];
      std::uint64_t offset = 0;
      for (const Extent& extent : entry.extents) {
        const std::uint64_t at = std::exchange(offset, offset + extent.length);
        if (extent.block == kHole || patient.moved[extent.block] == kStays) continue;
        std::string path = entry.path.text();
        const bool proved = std::ranges::binary_search(unchanged, path);
        lost_[patient.moved[extent.block]].holders.push_back({.owner = owner,
                                                              .path = std::move(path),
                                                              .file_bytes = entry.size,
                                                              .offset = at,
                                                              .begin = extent.offset,
                                                              .length = static_cast<std::uint32_t>(extent.length),
                                                              .proved = proved});
      }
    }
  }

  // Finds out what would be missing.
  Result<void> diagnose(BlockRecovery& recovery) {
    for (Patient& patient : patients_) patient.missing.clear();
    for (const LostBlock& lost : lost_) {
      if (lost.good) continue;
      const Recovered recovered = TRY(recovery.recover(lost));
      for (const Holder& holder : lost.holders) {
        if (recovered.proved.contains(holder.begin, holder.length)) continue;
        patients_[holder.owner].missing.insert(holder.path);
      }
    }
    return {};
  }

  Result<void> replace(BlockRecovery& recovery) {
    PackWriter packs(store_, layout_, seen_.head.epoch, new_id(), 0, 1);
    std::vector<Stretches> kept(lost_.size());  // of each block, what is written anew
    for (std::uint32_t number = 0; number < lost_.size(); ++number) {
      TRY(write(number, kept[number], recovery, packs));
    }
    const WrittenBlocks written = TRY(packs.finish(MayInline::no, stop_));
    report_.uploaded = {packs.uploaded_objects(), packs.uploaded_bytes()};
    for (const Patient& patient : patients_) {
      if (patient.missing.empty()) TRY(store_whole(patient, kept, written));
    }
    return put();
  }

  Result<void> write(std::uint32_t number, Stretches& kept, BlockRecovery& recovery, PackWriter& packs) {
    const LostBlock& lost = lost_[number];
    for (const Holder& holder : lost.holders) {
      if (patients_[holder.owner].missing.empty()) kept.add(holder.begin, holder.length);
    }
    if (kept.all().empty()) return {};
    const Recovered recovered = TRY(recovery.recover(lost));
    std::vector<std::byte> raw;
    for (const auto& [begin, end] : kept.all()) {
      if (!recovered.proved.contains(begin, end - begin)) {
        return fail(ErrorKind::io, "{} was changed while it was read", directory_.native());
      }
      raw.insert(raw.end(), recovered.raw.begin() + begin, recovered.raw.begin() + end);
    }
    const EncodedBlock encoded = TRY(encode_block(raw, kDefaultCompressionLevel));
    return packs.add(number, encoded, chunks_of(lost, kept, raw), stop_);
  }

  std::vector<Chunk> chunks_of(const LostBlock& lost, const Stretches& kept, std::span<const std::byte> raw) const {
    std::map<std::pair<std::uint32_t, std::uint32_t>, Chunk> chunks;
    for (const Holder& holder : lost.holders) {
      if (!patients_[holder.owner].missing.empty()) continue;
      const std::uint32_t begin = kept.place_of(holder.begin);
      const auto [chunk, is_new] = chunks.try_emplace({begin, holder.length});
      if (is_new) chunk->second = {content_digest(raw.subspan(begin, holder.length)), begin, holder.length};
    }
    std::vector<Chunk> result;
    for (const auto& [place, chunk] : chunks) result.push_back(chunk);
    return result;
  }

  // The manifest of the generation that takes the patient's place.
  Result<void> store_whole(const Patient& patient, const std::vector<Stretches>& kept, const WrittenBlocks& written) {
    Rewriting rewriting = unchanged(patient.manifest);
    std::map<std::uint32_t, std::uint32_t> places;  // by number in lost_
    for (const auto& [number, block] : written.blocks) {
      places.emplace(number, static_cast<std::uint32_t>(rewriting.blocks.size()));
      rewriting.blocks.push_back(block);
      rewriting.blocks.back().pack += static_cast<std::uint32_t>(rewriting.packs.size());
    }
    rewriting.packs.insert(rewriting.packs.end(), written.packs.begin(), written.packs.end());
    rewriting.place = [&](const Extent& extent) {
      const std::uint32_t number = patient.moved[extent.block];
      if (number == kStays) return extent;
      return Extent{places.at(number), kept[number].place_of(extent.offset), extent.length};
    };
    StoredManifest stored = TRY(store_manifest(store_, layout_, seen_, new_id(), rewrite(patient.manifest, rewriting),
                                               DeltaBase{patient.generation, patient.manifest}, stop_));
    stored.generation = in_place_of(patient.generation, std::move(stored.generation));
    report_.uploaded.add(stored.bytes);
    report_.mended.push_back({patient.generation.id, stored.generation.id});
    fates_.emplace(patient.generation.id, std::move(stored.generation));
    return {};
  }

  Result<void> put() {
    const Transition transition = [&](const Seen& seen) -> Result<std::optional<Head>> {
      if (is_done(seen.head)) return std::nullopt;
      if (seen.head.epoch != seen_.head.epoch) return fail(ErrorKind::conflict, "the cache was purged meanwhile");
      TRY(still_there(seen.head));
      Fates fates;
      for (const auto* generations : {&seen.head.generations, &seen.head.aside}) {
        for (const Generation& generation : *generations) {
          const auto fate = fates_.find(generation.id);
          if (fate != fates_.end()) fates.insert(*fate);
        }
      }
      if (fates.empty()) return std::nullopt;
      return replaced(seen, fates, SavesUnderWay::go_on);
    };
    const HeadRead now =
        TRY(within("putting the mended generations in place", update_head(store_, layout_, transition, stop_)));
    // What was dropped meanwhile needed no mending.
    std::erase_if(report_.mended, [&](const MendedGeneration& one) { return !names(now.seen.head, one.now); });
    return {};
  }

  static bool names(const Head& head, const std::string& id) {
    return find_generation(head, id) != nullptr ||
           std::ranges::find(head.aside, id, &Generation::id) != head.aside.end();
  }

  bool is_done(const Head& head) const {
    return std::ranges::any_of(report_.mended, [&](const MendedGeneration& one) { return names(head, one.now); });
  }

  // Who takes days may find that its objects were taken for garbage.
  Result<void> still_there(const Head& head) {
    const auto named = named_objects(seen_.head);
    for (const auto& [id, generation] : fates_) {
      for (const ObjectName& object : objects_of(head, *generation)) {
        if (named.contains(object)) continue;
        const bool trashed = std::ranges::find(head.trash, object, &Trashed::object) != head.trash.end();
        if (trashed) return fail(ErrorKind::conflict, "it took so long that its objects were collected");
        TRY(within(object.text(), store_.stat(layout_.key(object), stop_)));
      }
    }
    return {};
  }

  store::ObjectStore& store_;
  const Layout& layout_;
  const std::filesystem::path& directory_;
  const unsigned threads_;
  const std::stop_token& stop_;
  RepairReport report_;
  Seen seen_;
  std::vector<Patient> patients_;
  std::vector<LostBlock> lost_;
  // Of each lost block: its pack, and all of Block but what that says of the pack.
  using Identity = std::tuple<PackName, std::uint64_t, std::uint32_t, std::uint32_t, Encoding, util::Digest>;
  std::map<Identity, std::uint32_t> numbers_;
  Fates fates_;
};

}  // namespace

RepairReport repair(store::ObjectStore& store, const Name& name, const std::filesystem::path& directory,
                    unsigned threads, const std::stop_token& stop) {
  const Result<Layout> layout = Layout::of(name);
  if (layout) return Repairer(store, *layout, directory, threads, stop).run();
  RepairReport report;
  report.error = layout.error();
  return report;
}

}  // namespace hearth::cache
