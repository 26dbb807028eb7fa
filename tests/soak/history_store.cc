#include "soak/history_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "cache/format/bytes.h"

namespace hearth::soak {

namespace {

// What cannot be read has no serial, and is told by judge_order or judge_reads.
cache::Head decoded(std::span<const std::byte> bytes) {
  return cache::decode_head(cache::as_text(bytes)).value_or(cache::Head());
}

}  // namespace

store::ObjectInfo HistoryStore::shifted(store::ObjectInfo info) const {
  const std::scoped_lock lock(mutex_);
  const std::int64_t now = offset_;
  const auto written = offsets_.find({info.key.text(), info.version.text});
  info.modified += std::chrono::seconds(written == offsets_.end() ? now : written->second);
  info.now += std::chrono::seconds(now);
  return info;
}

Result<store::Object> HistoryStore::get(const store::Key& key, store::ByteRange range, std::stop_token stop) {
  const std::uint64_t begin = stamp();
  Result<store::Object> object = inner_.get(key, range, std::move(stop));
  if (!object) return object;
  if (key == layout_.head()) {
    const Span span{begin, stamp()};
    cache::Head head = decoded(object->bytes);
    const std::scoped_lock lock(mutex_);
    read_.push_back({span, head.serial, std::move(head.nonce)});
  }
  object->info = shifted(std::move(object->info));
  return object;
}

Result<store::Version> HistoryStore::put(const store::Key& key, store::Body body, const store::Condition& condition,
                                         std::stop_token stop) {
  const std::uint64_t begin = stamp();
  Result<store::Version> version = inner_.put(key, body, condition, std::move(stop));
  if (!version) return version;
  const Span span{begin, stamp()};
  const bool is_head = key == layout_.head();
  cache::Head head = is_head ? decoded(std::get<std::span<const std::byte>>(body)) : cache::Head();
  const std::scoped_lock lock(mutex_);
  // Rather too late than too early: it looks younger than it is.
  offsets_[{key.text(), version->text}] = offset_;
  if (is_head) written_.push_back({span, std::move(head)});
  return version;
}

Result<store::ObjectInfo> HistoryStore::stat(const store::Key& key, std::stop_token stop) {
  Result<store::ObjectInfo> info = inner_.stat(key, std::move(stop));
  if (info) info = shifted(std::move(*info));
  return info;
}

Result<void> HistoryStore::list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) {
  return inner_.list(prefix, [&](const store::ObjectInfo& info) { return visit(shifted(info)); }, std::move(stop));
}

Result<void> HistoryStore::remove(const store::Key& key, std::stop_token stop) {
  if (const auto object = layout_.parse(key)) {
    const std::uint64_t begin = stamp();
    const std::scoped_lock lock(mutex_);
    removed_.push_back({begin, *object});
  }
  return inner_.remove(key, std::move(stop));
}

std::vector<std::string> HistoryStore::violations() {
  std::ranges::sort(written_, {}, [](const Written& written) { return written.head.serial; });
  generations_.clear();
  std::vector<std::string> found;
  judge_order(found);
  if (!found.empty()) return found;  // the other rules rely on it
  judge_reads(found);
  judge_generations(found);
  judge_removals(found);
  judge_last(found);
  return found;
}

// Serials are 1, 2, 3, …, and no HEAD was written wholly after one with a higher serial.
void HistoryStore::judge_order(std::vector<std::string>& found) const {
  for (std::size_t i = 0; i < written_.size(); ++i) {
    if (written_[i].head.serial == i + 1) continue;
    found.push_back(fmt::format("HEAD {} of {} that were written has the serial {}", i + 1, written_.size(),
                                written_[i].head.serial));
    return;
  }
  std::uint64_t earliest_end = UINT64_MAX;
  for (const Written& seen : written_ | std::views::reverse) {
    if (seen.span.begin > earliest_end) {
      found.push_back(fmt::format("HEAD {} was written after a later one", seen.head.serial));
      return;
    }
    earliest_end = std::min(earliest_end, seen.span.end);
  }
}

// A read sees a HEAD that was being written by then, and none that had been replaced before it began.
void HistoryStore::judge_reads(std::vector<std::string>& found) const {
  for (const auto& [span, serial, nonce] : read_) {
    if (serial == 0 || serial > written_.size() || written_[serial - 1].head.nonce != nonce) {
      found.push_back(fmt::format("a HEAD {} was read that nobody wrote", serial));
      return;
    }
    if (written_[serial - 1].span.begin > span.end) {
      found.push_back(fmt::format("HEAD {} was read before it was written", serial));
      return;
    }
    if (serial < written_.size() && written_[serial].span.end < span.begin) {
      found.push_back(fmt::format("HEAD {} was read after it had been replaced", serial));
      return;
    }
  }
}

// A generation comes once, on top, and does not come again.
void HistoryStore::judge_generations(std::vector<std::string>& found) {
  std::set<std::string> before;
  for (const Written& seen : written_) {
    std::set<std::string> now;
    for (const cache::Generation& generation : seen.head.generations) {
      now.insert(generation.id);
      if (before.contains(generation.id)) continue;
      const bool first = generations_.insert(generation.id).second;
      if (!first || &generation != &seen.head.generations.front()) {
        found.push_back(fmt::format("HEAD {} brings generation {} {}", seen.head.serial, generation.id,
                                    first ? "below the top" : "again"));
        return;
      }
    }
    if (!seen.head.bad.empty()) {
      found.push_back(fmt::format("HEAD {} calls {} bad", seen.head.serial, seen.head.bad.front().text()));
      return;
    }
    before = std::move(now);
  }
}

// Nothing is removed while a HEAD that names it is in force.
void HistoryStore::judge_removals(std::vector<std::string>& found) const {
  std::map<cache::ObjectName, std::size_t> last_named;
  for (std::size_t i = 0; i < written_.size(); ++i) {
    const cache::Head& head = written_[i].head;
    for (const cache::Generation& generation : head.generations) {
      for (cache::ObjectName& object : cache::objects_of(head, generation)) last_named[std::move(object)] = i;
    }
  }
  for (const auto& [begin, object] : removed_) {
    const auto last = last_named.find(object);
    if (last == last_named.end()) continue;
    const std::size_t next = last->second + 1;
    if (next < written_.size() && written_[next].span.begin < begin) continue;
    found.push_back(fmt::format("{} was removed while HEAD {} named it", object.text(), last->second + 1));
    return;
  }
}

void HistoryStore::judge_last(std::vector<std::string>& found) const {
  if (written_.empty()) return;
  const cache::Head& head = written_.back().head;
  for (const cache::Generation& generation : head.generations) {
    for (const cache::ObjectName& object : cache::objects_of(head, generation)) {
      if (inner_.stat(layout_.key(object), {})) continue;
      found.push_back(fmt::format("the last HEAD names {}, which is gone", object.text()));
      return;
    }
  }
}

}  // namespace hearth::soak
