// Somebody who writes into the store, or who has the same directories as a restore, leads it nowhere outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <thread>

#include "cache/engine_support.h"
#include "cache/format/bytes.h"
#include "cache/format/head.h"
#include "cache/format/layout.h"
#include "cache/format/manifest.h"
#include "cache/generations/commit.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "support/file_calls.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FileCall;
using ::testing::IsEmpty;

Entry entry(EntryKind kind, std::string_view path, std::string_view target = {}) {
  const std::uint16_t mode = kind == EntryKind::file || kind == EntryKind::directory ? 0755 : 0;
  return {.path = path, .kind = kind, .mode = mode, .mtime = 0, .size = 0, .target = target, .extents = {}};
}

// As a cache's own program would have sealed it, in a store of its own.
void put_manifest(store::ObjectStore& store, const Manifest& manifest) {
  const Layout layout = Layout::of(kName).value();
  const HeadRead opened = open_head(store, layout, {}).value();
  const std::vector<std::byte> bytes = encode_manifest(manifest, Packing::fast).value();
  const std::string save = new_id();
  const ObjectName name{opened.seen.head.epoch, ObjectKind::manifest, save, 0};
  ASSERT_TRUE(store.put(layout.key(name), std::span(bytes), store::Condition::none(), {}));
  const Generation generation{
      .id = save, .saved = {}, .manifests = {{save, bytes.size(), util::sha256(bytes)}}, .packs = {}, .unknown = {}};
  const Proposal proposal{.generation = generation,
                          .epoch = opened.seen.head.epoch,
                          .base = "",
                          .cut = opened.seen.head.cut,
                          .damaged = {},
                          .place = Place::in_force};
  ASSERT_EQ(commit(store, layout, opened, proposal, {})->outcome, CommitOutcome::committed);
}

TEST(Hostile, AManifestThatLeadsOutsideIsDamage) {
  const util::TempDir place = util::TempDir::create(fs::temp_directory_path(), "hearth-hostile-").value();
  const fs::path outside = place.path() / "outside";
  const std::string absolute = (outside / "file").native();
  using enum EntryKind;
  const std::vector<std::vector<Entry>> hostile = {
      {entry(symlink, "link", outside.native()), entry(file, "link/file")},
      {entry(symlink, "link", "../outside"), entry(directory, "link/sub")},
      {entry(symlink, "link", ".."), entry(symlink, "link/link", "x")},
      {entry(directory, "d"), entry(symlink, "d/link", "../../outside"), entry(file, "d/link/file")},
      {entry(file, "../outside/file")},
      {entry(directory, "d"), entry(file, "d/../../outside/file")},
      {entry(file, absolute)},
      {entry(directory, "..")},
      {entry(file, ".")},
      {entry(hard_link, "link", absolute)},
      {entry(hard_link, "link", "../outside/victim")},
      {entry(symlink, "a", "../outside/victim"), entry(hard_link, "b", "a")},
  };
  for (const std::vector<Entry>& entries : hostile) {
    SCOPED_TRACE(std::string(entries.back().path.text()));
    fs::remove_all(outside);
    put_file(outside / "victim", "precious");
    const Picture before = picture(outside);
    Manifest manifest;
    for (const Entry& one : entries) manifest.entries.add(one);
    const std::vector<std::byte> bytes = encode_manifest(manifest, Packing::fast).value();
    ASSERT_FALSE(decode_manifest(bytes).has_value());
    EXPECT_EQ(decode_manifest(bytes).error().kind, ErrorKind::corrupt);
    store::MemoryStore store;
    put_manifest(store, manifest);
    const fs::path cache = place.path() / "cache";
    EXPECT_EQ(restore(store, kName, cache, place.path() / "index", {}, {}).outcome, RestoreOutcome::damaged);
    EXPECT_EQ(picture(outside), before);
    EXPECT_THAT(picture(cache), IsEmpty());
  }
}

// A state of a tree; what lies outside has the same names.
void make_tree(const fs::path& root, const std::string& content) {
  put_file(root / "d/sub/file", content);
  put_file(root / "d/sub/other", content);
  put_file(root / "d/file", content);
  fs::create_hard_link(root / "d/file", root / "d/twin");
  fs::create_symlink("file", root / "d/link");
  fs::permissions(root / "d/sub", fs::perms(0555));
}

// Puts a link in the place of a directory, and the directory back.
class Swap {
 public:
  explicit Swap(fs::path outside) : outside_(std::move(outside)) {}

  void set(const fs::path& staging, bool linked) {
    const fs::path victim = staging / "d";
    std::error_code ignored;
    if (linked && !fs::is_symlink(victim, ignored) && fs::is_directory(victim, ignored)) {
      fs::rename(victim, staging / "moved", ignored);
      if (!ignored) fs::create_directory_symlink(outside_, victim, ignored);
    } else if (!linked && fs::is_symlink(victim, ignored)) {
      fs::remove(victim, ignored);
      fs::rename(staging / "moved", victim, ignored);
    }
  }

 private:
  const fs::path outside_;
};

fs::path staging_below(const fs::path& place) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(place, ignored)) {
    if (entry.path().filename().native().starts_with(".cache.hearth-restore-")) return entry.path();
  }
  return {};
}

// Swaps between two calls of the restore, from the call with the number `first` on, as the bits of `pattern` say; the
// last of them stays.
class Swapper : public support::FileCallListener {
 public:
  Swapper(const fs::path& place, Swap& swap, int first, std::uint32_t pattern)
      : FileCallListener(place), swap_(swap), left_(first), pattern_(pattern) {}

  void before(const FileCall& call) override {
    static_cast<void>(call);
    if (left_-- > 0) return;
    began_ = true;
    const fs::path staging = staging_below(root());
    if (!staging.empty()) swap_.set(staging, (pattern_ & 1U) != 0);
    if (pattern_ > 1) pattern_ >>= 1U;
  }
  bool began() const { return began_; }

 private:
  Swap& swap_;
  int left_;
  std::uint32_t pattern_;
  bool began_ = false;
};

// A machine that restores the newer state, over the older one or into nothing, beside somebody hostile.
enum class Onto { nothing, the_old };
struct Attempt {
  explicit Attempt(Onto onto) {
    make_tree(outside, "precious");
    before = picture(outside);
    make_tree(builder.directory(), "old");
    EXPECT_EQ(builder.save().outcome, SaveOutcome::saved);
    if (onto == Onto::the_old) {
      EXPECT_EQ(victim.restore().outcome, RestoreOutcome::hit);
    }
    wipe(builder.directory());
    make_tree(builder.directory(), "newer");
    put_file(builder.directory() / "d/new/file", "new");
    EXPECT_EQ(builder.save().outcome, SaveOutcome::saved);
  }

  // Whatever the restore says.
  void expect_nothing_outside() const { EXPECT_EQ(picture(outside), before); }

  store::MemoryStore memory;
  Machine builder{memory};
  Machine victim{memory};
  util::TempDir place = util::TempDir::create(fs::temp_directory_path(), "hearth-outside-").value();
  const fs::path outside = place.path() / "outside";
  Picture before;
};

// A link that stays comes before each call; one that goes and returns, before every third.
struct Swaps {
  std::uint32_t pattern = 0;  // read from its lowest bit; 1: the link is there
  int begin = 0;
  int step = 1;
};

void swap_at_every_call(Onto onto) {
  constexpr std::array kSwaps{Swaps{0b1, 0, 1}, Swaps{0b10101, 0, 3}, Swaps{0b11001, 1, 3}};
  for (const Swaps& swaps : kSwaps) {
    bool began = true;
    for (int first = swaps.begin; began; first += swaps.step) {
      SCOPED_TRACE(fmt::format("from call {} as {:b}", first, swaps.pattern));
      Attempt attempt(onto);
      Swap swap(attempt.outside / "d");
      {
        Swapper swapper(attempt.victim.place(), swap, first, swaps.pattern);
        attempt.victim.restore(restoring_with(1));
        began = swapper.began();
      }
      attempt.expect_nothing_outside();
      if (::testing::Test::HasFailure()) return;
      ASSERT_LT(first, 500);
    }
  }
}

TEST(HostileNeighbour, WhoSwapsADirectoryForALinkAtAnyCallOfARestore) {
  swap_at_every_call(Onto::nothing);
}

TEST(HostileNeighbour, WhoSwapsADirectoryForALinkAtAnyCallOfARestoreOverAnother) {
  swap_at_every_call(Onto::the_old);
}

TEST(HostileNeighbour, WhoSwapsAtFullSpeed) {
  for (int round = 0; round < 20; ++round) {
    Attempt attempt(round % 2 == 0 ? Onto::nothing : Onto::the_old);
    Swap swap(attempt.outside / "d");
    {
      const std::jthread neighbour([&](const std::stop_token& stop) {
        for (bool linked = true; !stop.stop_requested(); linked = !linked) {
          const fs::path staging = staging_below(attempt.victim.place());
          if (!staging.empty()) swap.set(staging, linked);
        }
      });
      attempt.victim.restore();
    }
    attempt.expect_nothing_outside();
  }
}

// What is being filled is nobody else's to enter, also where the directory that it was before was open to all.
TEST(HostileNeighbour, CannotEnterWhatIsBeingFilled) {
  for (const Onto onto : {Onto::nothing, Onto::the_old}) {
    Attempt attempt(onto);
    support::FaultyStore store(attempt.memory);
    if (onto == Onto::the_old) fs::permissions(attempt.victim.directory(), fs::perms(0777));
    int seen = 0;
    store.before_each([&](const support::Operation&) {
      const fs::path staging = staging_below(attempt.victim.place());
      if (staging.empty()) return;
      ++seen;
      EXPECT_EQ(fs::status(staging).permissions(), fs::perms(0700));
    });
    put_file(attempt.builder.directory() / "large", noise(1'200'000, 7));
    ASSERT_EQ(attempt.builder.save().outcome, SaveOutcome::saved);
    const RestoreReport report =
        restore(store, kName, attempt.victim.directory(), attempt.victim.index(), restoring_with(1), {});
    EXPECT_EQ(report.outcome, RestoreOutcome::hit);
    EXPECT_GT(seen, 0);
  }
}

}  // namespace
}  // namespace hearth::cache::testing
