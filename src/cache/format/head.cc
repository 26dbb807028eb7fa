#include "cache/format/head.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "cache/format/pack.h"
#include "util/text.h"

namespace hearth::cache {

namespace {

// What is written has its members in the order in which a person reads them; whether one is there already is found out
// by looking at all. Of what is read somebody may have made millions.
using Json = nlohmann::ordered_json;
using ReadJson = nlohmann::json;

// Far more than any program writes. JSON is copied and printed by recursion, so that hostile depth would end the
// process.
constexpr int kDepthLimit = 64;
// The text ends so, whatever the format: a later program finds it, and an earlier one can tell newer from damaged.
constexpr std::string_view kSumBegin = ",\"sha256\":\"";
constexpr std::string_view kSumEnd = "\"}\n";
constexpr std::size_t kTailBytes = kSumBegin.size() + 64 + kSumEnd.size();

// A member that is not there yet.
void append(Json& object, std::string_view key, Json value) {
  object.get_ref<Json::object_t&>().emplace_back(key, std::move(value));
}

Json pack_runs(const std::vector<PackName>& packs) {
  std::map<std::string_view, Json> saves;
  for (std::size_t i = 0; i < packs.size(); ++i) {
    const bool goes_on = i > 0 && packs[i - 1].save == packs[i].save && packs[i - 1].number + 1 == packs[i].number;
    Json& of_save = saves[packs[i].save];
    if (!goes_on) of_save.push_back(Json::array({packs[i].number}));
    of_save.back().push_back(packs[i].bytes);
  }
  Json runs = Json::object();
  for (auto& [save, of_save] : saves) append(runs, save, std::move(of_save));
  return runs;
}

void add_unknown(Json& object, const std::string& unknown) {
  if (unknown.empty()) return;
  const ReadJson members = ReadJson::parse(unknown, nullptr, false);
  for (const auto& [key, value] : members.items()) append(object, key, Json(value));
}

std::int64_t seconds(store::StoreTime time) {
  return time.time_since_epoch().count();
}

Json generation_json(const Generation& generation) {
  Json manifests = Json::array();
  for (const ManifestName& manifest : generation.manifests) {
    manifests.push_back({{"save", manifest.save}, {"bytes", manifest.bytes}, {"sha256", manifest.digest.hex()}});
  }
  Json json = {{"id", generation.id},
               {"saved", seconds(generation.saved)},
               {"manifests", std::move(manifests)},
               {"packs", pack_runs(generation.packs)}};
  if (generation.failed) json["failed"] = true;
  add_unknown(json, generation.unknown);
  return json;
}

Json head_json(const Head& head) {
  const bool swaps = head.compare_and_swap == store::CompareAndSwap::honoured;
  Json json = {{"format", kHeadFormat},
               {"min_writer", head.min_writer},
               {"app", util::percent_encode(head.name.app)},
               {"stack", util::percent_encode(head.name.stack)},
               {"arch", head.name.arch},
               {"epoch", head.epoch},
               {"serial", head.serial},
               {"nonce", head.nonce},
               {"compare_and_swap", swaps},
               {"generations", Json::array()},
               {"aside", Json::array()},
               {"pins", head.pins},
               {"bad", Json::array()},
               {"trash", Json::array()}};
  for (const Generation& generation : head.generations) json["generations"].push_back(generation_json(generation));
  for (const Generation& generation : head.aside) json["aside"].push_back(generation_json(generation));
  for (const ObjectName& object : head.bad) json["bad"].push_back(object.text());
  for (const Trashed& trashed : head.trash) {
    Json entry = {{"object", trashed.object.text()}};
    if (trashed.since) entry["since"] = seconds(*trashed.since);
    json["trash"].push_back(std::move(entry));
  }
  if (head.swept) json["swept"] = seconds(*head.swept);
  if (!head.cut.empty()) json["cut"] = head.cut;
  add_unknown(json, head.unknown);
  return json;
}

std::unexpected<Error> bad_member(std::string_view key) {
  return fail(ErrorKind::corrupt, "HEAD's member \"{}\" is missing or impossible", key);
}

// The members of one JSON object; what has not been asked for in the end is unknown.
class Members {
 public:
  static Result<Members> of(const ReadJson& json, std::string_view what) {
    if (!json.is_object()) return bad_member(what);
    return Members(json);
  }

  Result<std::uint64_t> number(const std::string& key, std::uint64_t limit = UINT64_MAX) {
    const ReadJson& value = take(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > limit) return bad_member(key);
    return value.get<std::uint64_t>();
  }

  Result<std::string> text(const std::string& key) {
    const ReadJson& value = take(key);
    if (!value.is_string()) return bad_member(key);
    return value.get<std::string>();
  }

  // Percent-encoded, since it may be any bytes.
  Result<std::string> decoded(const std::string& key) {
    const std::string value = TRY(text(key));
    Result<std::string> plain = util::percent_decode(value);
    if (!plain) return bad_member(key);
    return plain;
  }

  Result<std::string> id(const std::string& key) {
    std::string value = TRY(text(key));
    if (!is_id(value)) return bad_member(key);
    return value;
  }

  // Empty where there is none.
  Result<std::string> id_if_any(const std::string& key) {
    return json_.contains(key) ? id(key) : Result<std::string>(std::string());
  }

  Result<std::optional<store::StoreTime>> time(const std::string& key) {
    if (!json_.contains(key)) return std::nullopt;
    const std::uint64_t value = TRY(number(key, std::uint64_t{1} << 40));
    return store::StoreTime(std::chrono::seconds(value));
  }

  Result<bool> flag(const std::string& key) {
    const ReadJson& value = take(key);
    if (!value.is_boolean()) return bad_member(key);
    return value.get<bool>();
  }

  // Absent: false.
  Result<bool> optional_flag(const std::string& key) {
    if (!json_.contains(key)) return false;
    return flag(key);
  }

  Result<ReadJson> list(const std::string& key) {
    const ReadJson& value = take(key);
    if (!value.is_array()) return bad_member(key);
    return value;
  }

  Result<ReadJson> object(const std::string& key) {
    const ReadJson& value = take(key);
    if (!value.is_object()) return bad_member(key);
    return value;
  }

  std::string unknown() const {
    ReadJson rest = ReadJson::object();
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(taken_, key) == taken_.end()) rest[key] = value;
    }
    return rest.empty() ? std::string() : rest.dump();
  }

 private:
  explicit Members(ReadJson json) : json_(std::move(json)) {}

  const ReadJson& take(const std::string& key) {
    static const ReadJson nothing;
    taken_.push_back(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nothing : *found;
  }

  ReadJson json_;
  std::vector<std::string> taken_;
};

Result<ManifestName> decode_manifest_name(const ReadJson& json) {
  Members members = TRY(Members::of(json, "manifests"));
  ManifestName name;
  name.save = TRY(members.id("save"));
  name.bytes = TRY(members.number("bytes", kManifestObjectLimit));
  const std::string hex = TRY(members.text("sha256"));
  const auto digest = util::Digest::from_hex(hex);
  if (!digest) return bad_member("sha256");
  name.digest = *digest;
  return name;
}

Result<std::vector<PackName>> decode_packs(const ReadJson& saves) {
  std::vector<PackName> packs;
  for (const auto& [save, runs] : saves.items()) {
    if (!is_id(save) || !runs.is_array()) return bad_member("packs");
    for (const ReadJson& run : runs) {
      if (!run.is_array() || run.size() < 2 || !std::ranges::all_of(run, &ReadJson::is_number_unsigned)) {
        return bad_member("packs");
      }
      const auto first = run.front().get<std::uint64_t>();
      if (first > UINT32_MAX || run.size() > UINT32_MAX - first) return bad_member("packs");
      for (std::size_t i = 1; i < run.size(); ++i) {
        const auto bytes = run[i].get<std::uint64_t>();
        if (bytes > kPackLimit) return bad_member("packs");
        packs.push_back({save, static_cast<std::uint32_t>(first + i - 1), bytes});
      }
    }
  }
  std::ranges::sort(packs);
  const auto same = [](const PackName& a, const PackName& b) { return a.save == b.save && a.number == b.number; };
  if (std::ranges::adjacent_find(packs, same) != packs.end()) return bad_member("packs");
  return packs;
}

Result<Generation> decode_generation(const ReadJson& json) {
  Members members = TRY(Members::of(json, "generations"));
  Generation generation;
  generation.id = TRY(members.id("id"));
  const auto saved = TRY(members.time("saved"));
  generation.saved = saved.value_or(store::StoreTime{});
  const ReadJson manifests = TRY(members.list("manifests"));
  for (const ReadJson& manifest : manifests) {
    ManifestName name = TRY(decode_manifest_name(manifest));
    generation.manifests.push_back(std::move(name));
  }
  if (manifests.empty() || manifests.size() > kChainLimit || generation.manifests.front().save != generation.id) {
    return bad_member("manifests");
  }
  const ReadJson packs = TRY(members.object("packs"));
  generation.packs = TRY(decode_packs(packs));
  generation.failed = TRY(members.optional_flag("failed"));
  generation.unknown = members.unknown();
  return generation;
}

Result<std::vector<Generation>> decode_generations(const ReadJson& list) {
  std::vector<Generation> generations;
  for (const ReadJson& json : list) {
    Generation generation = TRY(decode_generation(json));
    generations.push_back(std::move(generation));
  }
  return generations;
}

Result<ObjectName> decode_object(const ReadJson& json, std::string_view key) {
  if (!json.is_string()) return bad_member(key);
  auto object = ObjectName::parse(json.get<std::string>());
  if (!object) return bad_member(key);
  return std::move(*object);
}

Result<void> decode_lists(Members& members, Head& head) {
  const ReadJson generations = TRY(members.list("generations"));
  head.generations = TRY(decode_generations(generations));
  const ReadJson aside = TRY(members.list("aside"));
  head.aside = TRY(decode_generations(aside));
  const ReadJson pins = TRY(members.list("pins"));
  for (const ReadJson& pin : pins) {
    if (!pin.is_string() || !is_id(pin.get<std::string>())) return bad_member("pins");
    head.pins.push_back(pin.get<std::string>());
  }
  const ReadJson bad = TRY(members.list("bad"));
  for (const ReadJson& json : bad) {
    ObjectName object = TRY(decode_object(json, "bad"));
    head.bad.push_back(std::move(object));
  }
  const ReadJson trash = TRY(members.list("trash"));
  for (const ReadJson& json : trash) {
    Members entry = TRY(Members::of(json, "trash"));
    const std::string object = TRY(entry.text("object"));
    Trashed trashed;
    trashed.object = TRY(decode_object(object, "object"));
    trashed.since = TRY(entry.time("since"));
    head.trash.push_back(std::move(trashed));
  }
  return {};
}

// The JSON inside, if the checksum is right.
Result<ReadJson> unsealed(std::string_view text) {
  if (text.size() > kHeadLimit || text.size() < kTailBytes || !text.ends_with(kSumEnd)) {
    return fail(ErrorKind::corrupt, "HEAD does not end as a HEAD does");
  }
  const std::string_view body = text.substr(0, text.size() - kTailBytes);
  if (text.substr(body.size()) != fmt::format("{}{}{}", kSumBegin, util::sha256(body).hex(), kSumEnd)) {
    return fail(ErrorKind::corrupt, "HEAD does not have its SHA-256");
  }
  bool too_deep = false;
  const auto is_shallow = [&too_deep](int depth, ReadJson::parse_event_t /*event*/, ReadJson& /*parsed*/) {
    too_deep = too_deep || depth > kDepthLimit;
    return !too_deep;
  };
  ReadJson json = ReadJson::parse(text, is_shallow, false);
  if (too_deep) return fail(ErrorKind::corrupt, "HEAD is nested more than {} deep", kDepthLimit);
  if (!json.is_object()) return fail(ErrorKind::corrupt, "HEAD is no JSON object");
  json.erase("sha256");
  return json;
}

}  // namespace

std::string encode_head(const Head& head) {
  std::string text = head_json(head).dump();
  text.pop_back();
  const std::string sum = util::sha256(text).hex();
  return text.append(kSumBegin).append(sum).append(kSumEnd);
}

Result<Head> decode_head(std::string_view text) {
  const ReadJson json = TRY(unsealed(text));
  Members members = TRY(Members::of(json, "HEAD"));
  const std::uint64_t format = TRY(members.number("format"));
  if (format > kHeadFormat) {
    return fail(ErrorKind::invalid, "HEAD has format {}, this program knows {}: a newer one is in use", format,
                kHeadFormat);
  }
  Head head;
  const std::uint64_t min_writer = TRY(members.number("min_writer", UINT32_MAX));
  head.min_writer = static_cast<std::uint32_t>(min_writer);
  head.name.app = TRY(members.decoded("app"));
  head.name.stack = TRY(members.decoded("stack"));
  head.name.arch = TRY(members.text("arch"));
  head.epoch = TRY(members.id("epoch"));
  head.serial = TRY(members.number("serial"));
  head.nonce = TRY(members.id("nonce"));
  const bool swaps = TRY(members.flag("compare_and_swap"));
  if (!swaps) head.compare_and_swap = store::CompareAndSwap::absent;
  TRY(decode_lists(members, head));
  head.swept = TRY(members.time("swept"));
  head.cut = TRY(members.id_if_any("cut"));
  head.unknown = members.unknown();
  std::vector<std::string_view> ids;
  for (const Generation& generation : head.generations) ids.push_back(generation.id);
  for (const Generation& generation : head.aside) ids.push_back(generation.id);
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end()) return bad_member("id");
  return head;
}

std::vector<ObjectName> objects_of(const Head& head, const Generation& generation) {
  std::vector<ObjectName> objects;
  for (const ManifestName& manifest : generation.manifests) {
    objects.push_back({head.epoch, ObjectKind::manifest, manifest.save, 0});
  }
  for (const PackName& pack : generation.packs) {
    objects.push_back({head.epoch, ObjectKind::pack, pack.save, pack.number});
  }
  return objects;
}

const Generation* find_generation(const Head& head, std::string_view id) {
  const auto found = std::ranges::find(head.generations, id, &Generation::id);
  return found == head.generations.end() ? nullptr : &*found;
}

const Generation* failed_generation(const Head& head) {
  const auto found = std::ranges::find(head.aside, true, &Generation::failed);
  return found == head.aside.end() ? nullptr : &*found;
}

const Generation* find_base(const Head& head, std::string_view id) {
  if (const Generation* in_force = find_generation(head, id)) return in_force;
  const Generation* failed = failed_generation(head);
  return failed != nullptr && failed->id == id ? failed : nullptr;
}

bool is_bad(const Head& head, const ObjectName& object) {
  return std::ranges::find(head.bad, object) != head.bad.end();
}

bool names_bad(const Head& head, const Generation& generation) {
  const auto place = [](const PackName& pack) {
    return std::pair<std::string_view, std::uint32_t>(pack.save, pack.number);
  };
  return std::ranges::any_of(head.bad, [&](const ObjectName& bad) {
    if (bad.epoch != head.epoch) return false;
    if (bad.kind == ObjectKind::manifest) {
      return std::ranges::find(generation.manifests, bad.save, &ManifestName::save) != generation.manifests.end();
    }
    const std::pair<std::string_view, std::uint32_t> wanted(bad.save, bad.number);
    return std::ranges::binary_search(generation.packs, wanted, {}, place);
  });
}

}  // namespace hearth::cache
