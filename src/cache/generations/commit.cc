#include "cache/generations/commit.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <span>

#include "cache/format/bytes.h"

namespace hearth::cache {

namespace {

constexpr int kAttempts = 8;
// So much expired trash goes with one commit; what is left goes with the next ones.
constexpr std::size_t kDeletedAtOnce = 500;
// Where the store refuses that: so many are tried alone, and no more once so many of them were refused.
constexpr std::size_t kDeletedAlone = 100;
constexpr std::size_t kRefusals = 10;

// Waits a random time that doubles with each attempt, 320 ms at most, so that writers in a row part.
Result<void> pause(int attempt, const std::stop_token& stop) {
  thread_local std::minstd_rand random(std::random_device{}());
  const int limit = 5 << std::min(attempt, 6);
  const std::chrono::milliseconds wait(std::uniform_int_distribution(1, limit)(random));
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, wait, [] { return false; });
  if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped between two attempts to write HEAD");
  return {};
}

HeadRead decoded(const Layout& layout, const store::Object& object, store::CompareAndSwap swap) {
  HeadRead read;
  read.version = object.info.version;
  Result<Head> head = object.info.size > kHeadLimit ? fail(ErrorKind::corrupt, "HEAD has {} bytes", object.info.size)
                                                    : decode_head(as_text(object.bytes));
  const Name& name = layout.name();
  if (head && (head->name.app != name.app || head->name.stack != name.stack || head->name.arch != name.arch)) {
    head = fail(ErrorKind::corrupt, "HEAD is that of another cache, of the app \"{}\"", head->name.app);
  }
  if (!head) {
    read.state = head.error().kind == ErrorKind::invalid ? HeadState::newer : HeadState::corrupt;
    read.problem = fmt::format("{}: {}", layout.head().text(), head.error().message);
    return read;
  }
  read.state = HeadState::readable;
  read.seen = {.head = std::move(*head), .written = object.info.modified, .now = object.info.now};
  if (swap == store::CompareAndSwap::absent) read.seen.head.compare_and_swap = swap;
  return read;
}

Result<HeadRead> read_once(store::ObjectStore& store, const Layout& layout, const std::stop_token& stop) {
  const Result<store::Object> object = store.get(layout.head(), {.offset = 0, .length = kHeadLimit}, stop);
  if (object) return decoded(layout, *object, store.compare_and_swap());
  if (object.error().kind == ErrorKind::not_found) return HeadRead{};
  return std::unexpected(object.error());
}

// An error unless this program may write this HEAD anew.
Result<void> writable(const HeadRead& read) {
  if (read.state == HeadState::newer) return fail(ErrorKind::invalid, "{}", read.problem);
  if (read.state == HeadState::readable && read.seen.head.min_writer > kHeadFormat) {
    return fail(ErrorKind::invalid, "only programs of format {} and later may write this HEAD",
                read.seen.head.min_writer);
  }
  return {};
}

Result<store::Version> put_head(store::ObjectStore& store, const Layout& layout, const Head& head,
                                const store::Condition& condition, const std::stop_token& stop) {
  const std::string text = encode_head(head);
  if (text.size() > kHeadLimit) return fail(ErrorKind::invalid, "HEAD would have {} bytes", text.size());
  return store.put(layout.head(), as_bytes(text), condition, stop);
}

bool worth_another(const Error& error) {
  return error.kind == ErrorKind::conflict || error.kind == ErrorKind::unavailable;
}

// What is to become of HEAD as it is now: another one, or nothing more.
using Decide = std::function<Result<std::optional<Head>>(const HeadRead& now, int attempts)>;

// Decides and puts until nothing more is to be done. Without compare-and-swap an accepted put proves nothing: HEAD is
// read back and decided upon again.
Result<HeadRead> replace(store::ObjectStore& store, const Layout& layout, HeadRead now, const Decide& decide,
                         const std::stop_token& stop) {
  Error last{ErrorKind::conflict, "other writers were faster each time"};
  for (int attempts = 0;; ++attempts) {
    std::optional<Head> wanted = TRY(decide(now, attempts));
    if (!wanted) return now;
    if (attempts == kAttempts) return std::unexpected(last);
    const Result<store::Version> version =
        put_head(store, layout, *wanted, store::Condition::if_version(now.version), stop);
    if (version && store.compare_and_swap() == store::CompareAndSwap::honoured) {
      now.seen.head = std::move(*wanted);
      now.version = *version;
      return now;
    }
    if (!version) {
      if (!worth_another(version.error())) return std::unexpected(version.error());
      last = version.error();
      TRY(pause(attempts, stop));
    }
    now = TRY(read_head(store, layout, stop));
  }
}

struct Deletions {
  std::set<ObjectName> confirmed;  // gone for certain
  std::set<ObjectName> in_vain;    // tried alone, and not confirmed
};

// One that is held, or that a policy protects, fails whatever it is deleted together with.
Deletions delete_alone(store::ObjectStore& store, const Layout& layout, std::span<const ObjectName> objects,
                       const std::stop_token& stop) {
  Deletions deletions;
  for (const ObjectName& object : objects.first(std::min(objects.size(), kDeletedAlone))) {
    if (stop.stop_requested()) break;
    const Result<void> removed = store.remove(layout.key(object), stop);
    if (removed) {
      deletions.confirmed.insert(object);
      continue;
    }
    if (removed.error().kind == ErrorKind::cancelled) break;
    deletions.in_vain.insert(object);
    // A store that does not answer has been given its time; one that allows no deletion at all is not asked for long.
    if (removed.error().kind == ErrorKind::unavailable || deletions.in_vain.size() == kRefusals) break;
  }
  return deletions;
}

// Deletes what may be deleted; what is not gone for certain stays in the trash for the next commits.
Deletions delete_expired(store::ObjectStore& store, const Layout& layout, const Seen& seen,
                         const std::stop_token& stop) {
  std::vector<ObjectName> expired = expired_trash(seen);
  if (expired.size() > kDeletedAtOnce) expired.resize(kDeletedAtOnce);
  std::vector<store::Key> keys;
  for (const ObjectName& object : expired) keys.push_back(layout.key(object));
  if (keys.empty()) return {};
  const Result<void> removed = store.remove_each(keys, stop);
  if (removed) return {.confirmed = {expired.begin(), expired.end()}, .in_vain = {}};
  // Of an error nobody knows how far it got. One of the whole store's is none of an object's.
  const ErrorKind kind = removed.error().kind;
  if (stop.stop_requested() || kind == ErrorKind::unavailable || kind == ErrorKind::cancelled) return {};
  return delete_alone(store, layout, expired, stop);
}

Result<bool> all_there(store::ObjectStore& store, const Layout& layout, const std::vector<ObjectName>& objects,
                       const std::stop_token& stop) {
  for (const ObjectName& object : objects) {
    const auto info = store.stat(layout.key(object), stop);
    if (!info && info.error().kind == ErrorKind::not_found) return false;
    if (!info) return std::unexpected(info.error());
  }
  return true;
}

// Asks the store only after another HEAD was read than the one before the upload: until then nobody can have collected
// an object of the proposal.
Result<Verdict> judge(store::ObjectStore& store, const Layout& layout, const HeadRead& now, const HeadRead& opened,
                      const Proposal& proposal, const std::stop_token& stop) {
  if (now.state == HeadState::absent) return Verdict::purged;
  if (now.state == HeadState::corrupt) return fail(ErrorKind::corrupt, "{}", now.problem);
  TRY(writable(now));
  const Verdict verdict = decide(now.seen, proposal, opened.seen.now);
  if (verdict != Verdict::put || now.version == opened.version) return verdict;
  const bool there = TRY(all_there(store, layout, own_objects(proposal), stop));
  return there ? Verdict::put : Verdict::collected;
}

}  // namespace

Result<HeadRead> read_head(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  HeadRead read = TRY(within("reading HEAD", read_once(store, layout, stop)));
  // Only what is corrupt twice is corrupt in the store, and not on its way.
  if (read.state == HeadState::corrupt) return within("reading HEAD", read_once(store, layout, stop));
  return read;
}

Result<HeadRead> open_head(store::ObjectStore& store, const Layout& layout, std::stop_token stop) {
  for (int attempt = 0;; ++attempt) {
    HeadRead read = TRY(read_head(store, layout, stop));
    TRY(writable(read));
    if (read.state == HeadState::readable) return read;
    if (attempt == kAttempts) return fail(ErrorKind::conflict, "HEAD could not be made: other writers were faster");
    const auto condition =
        read.state == HeadState::absent ? store::Condition::if_absent() : store::Condition::if_version(read.version);
    const Head fresh = create(layout.name(), store.compare_and_swap());
    const auto version = put_head(store, layout, fresh, condition, stop);
    if (!version && !worth_another(version.error()))
      return within("creating HEAD", Result<HeadRead>(std::unexpected(version.error())));
    if (!version) TRY(pause(attempt, stop));
  }
}

Result<CommitReport> commit(store::ObjectStore& store, const Layout& layout, const HeadRead& opened,
                            const Proposal& proposal, std::stop_token stop) {
  CommitReport report;
  // Before HEAD is looked at for the first time, so that no other writer gets ahead while this goes on. What has
  // expired stays so, whatever becomes of HEAD.
  const Deletions deletions = delete_expired(store, layout, opened.seen, stop);
  const Decide decide = [&](const HeadRead& now, int attempts) -> Result<std::optional<Head>> {
    const Verdict verdict = TRY(judge(store, layout, now, opened, proposal, stop));
    report.attempts = attempts;
    if (verdict == Verdict::done) report.outcome = CommitOutcome::committed;
    if (verdict != Verdict::put) {
      report.reason = name(verdict);
      return std::nullopt;
    }
    const Seen left = without_trash(now.seen, deletions.confirmed);
    return with_generation(with_trash_last(left, deletions.in_vain), proposal);
  };
  HeadRead now = opened;
  // Without compare-and-swap the put would undo whatever was written since.
  if (store.compare_and_swap() == store::CompareAndSwap::absent) now = TRY(read_head(store, layout, stop));
  report.head = TRY(within("committing", replace(store, layout, std::move(now), decide, stop)));
  const bool written = report.reason.empty();
  if (written) report.outcome = CommitOutcome::committed;
  if (written) ++report.attempts;
  if (report.outcome == CommitOutcome::committed) report.reason.clear();
  return report;
}

Result<HeadRead> update_head(store::ObjectStore& store, const Layout& layout, const Transition& transition,
                             std::stop_token stop) {
  std::string written;  // the nonce of the HEAD that was put last
  const Decide decide = [&](const HeadRead& now, int) -> Result<std::optional<Head>> {
    if (now.state == HeadState::absent) return fail(ErrorKind::not_found, "there is no cache");
    if (now.state == HeadState::corrupt) return fail(ErrorKind::corrupt, "{}", now.problem);
    TRY(writable(now));
    if (now.seen.head.nonce == written) return std::nullopt;
    std::optional<Head> wanted = TRY(transition(now.seen));
    if (wanted) written = wanted->nonce;
    return wanted;
  };
  HeadRead now = TRY(read_head(store, layout, stop));
  return replace(store, layout, std::move(now), decide, stop);
}

}  // namespace hearth::cache
