#include "cache/operator/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/engine_support.h"
#include "cache/generations/inspect.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Verify : public ::testing::Test {
 protected:
  VerifyReport verified() { return verify(store_, kName, 2, {}); }

  std::vector<std::byte> bytes_of(const store::Key& key) { return memory_.get(key, {}, {}).value().bytes; }
  void put(const store::Key& key, const std::vector<std::byte>& bytes) {
    ASSERT_TRUE(memory_.put(key, std::span(bytes), store::Condition::none(), {}).has_value());
  }

  // Flips one bit of every `stride`-th byte, all of them in turn, or all of these bytes' bits.
  enum class Bits { one, all };
  void expect_flips_found(const store::Key& key, std::size_t stride, Bits bits) {
    const std::vector<std::byte> good = bytes_of(key);
    for (std::size_t at = 0; at < good.size(); at += stride) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (bits == Bits::one && bit != at % 8) continue;
        std::vector<std::byte> bad = good;
        bad[at] ^= static_cast<std::byte>(1U << bit);
        put(key, bad);
        ASSERT_EQ(verified().outcome, VerifyOutcome::damaged) << key.text() << ", byte " << at << ", bit " << bit;
      }
    }
    put(key, good);
  }

  store::Key pack(std::size_t which) {
    std::vector<store::Key> packs = objects_of(store_);
    std::erase_if(packs, [](const store::Key& key) { return !key.text().contains("/pack/"); });
    return packs.at(which);
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{store_};
};

TEST_F(Verify, ThereMayBeNothing) {
  EXPECT_EQ(verified().outcome, VerifyOutcome::absent);
  EXPECT_THAT(find_caches(store_, {}).value(), IsEmpty());
}

TEST_F(Verify, EveryBitOfASmallCacheCounts) {
  put_file(machine_.directory() / "a/file", "content");
  put_file(machine_.directory() / "b", "more of it");
  machine_.save();
  const VerifyReport report = verified();
  EXPECT_EQ(report.outcome, VerifyOutcome::sound);
  EXPECT_EQ(report.generations, 1U);
  EXPECT_EQ(report.objects, all_objects_of(store_).size());
  for (const store::Key& key : all_objects_of(store_)) expect_flips_found(key, 1, Bits::all);
  EXPECT_EQ(verified().outcome, VerifyOutcome::sound);
}

TEST_F(Verify, EveryByteOfPacksAndDeltasCounts) {
  put_file(machine_.directory() / "large", noise(1'200'000, 1));
  machine_.save();
  put_file(machine_.directory() / "small", "small");
  machine_.save();
  ASSERT_EQ(verified().outcome, VerifyOutcome::sound);
  ASSERT_EQ(verified().generations, 2U);
  for (const store::Key& key : objects_of(store_)) {
    expect_flips_found(key, bytes_of(key).size() > 10'000 ? 9'973 : 3, Bits::one);
  }
}

TEST_F(Verify, DamageIsToldByObjectAndByFile) {
  for (int i = 0; i < 3; ++i) put_file(machine_.directory() / fmt::format("large{}", i), noise(1'900'000, 1 + i));
  fs::create_hard_link(machine_.directory() / "large2", machine_.directory() / "link");
  machine_.save();
  put_file(machine_.directory() / "other", "other");
  machine_.save();
  const store::Key large = bytes_of(pack(0)).size() > 1'000'000 ? pack(0) : pack(1);
  store_.corrupt(large, 4'500'000);  // in the second of its blocks
  const VerifyReport report = verified();
  EXPECT_EQ(report.outcome, VerifyOutcome::damaged);
  ASSERT_EQ(report.damaged_objects.size(), 1U);
  EXPECT_THAT(report.damaged_objects[0].object, HasSubstr("/pack/"));
  ASSERT_EQ(report.damaged_generations.size(), 2U);
  for (const DamagedGeneration& generation : report.damaged_generations) {
    EXPECT_FALSE(generation.whole);
    EXPECT_THAT(generation.files, ElementsAre("large2"));
  }
}

TEST_F(Verify, WhatIsMissingIsDamage) {
  put_file(machine_.directory() / "large", noise(1'200'000, 1));
  machine_.save();
  for (const store::Key& key : objects_of(store_)) {
    store_.hide(key);
    const VerifyReport report = verified();
    EXPECT_EQ(report.outcome, VerifyOutcome::damaged) << key.text();
    ASSERT_EQ(report.damaged_objects.size(), 1U);
    EXPECT_TRUE(key.text().ends_with(report.damaged_objects[0].object));
    ASSERT_EQ(report.damaged_generations.size(), 1U);
    EXPECT_EQ(report.damaged_generations[0].whole, key.text().contains("/manifest/"));
    store_.heal();
  }
}

TEST_F(Verify, AnotherGoodPackInItsPlaceIsDamage) {
  for (int i = 0; i < 2; ++i) {
    put_file(machine_.directory() / fmt::format("large{}", i), noise(1'200'000, 1 + i));
    machine_.save();
  }
  put(pack(0), bytes_of(pack(1)));
  EXPECT_EQ(verified().outcome, VerifyOutcome::damaged);
}

TEST_F(Verify, AStoreThatFailsProvesNothing) {
  put_file(machine_.directory() / "large", noise(1'200'000, 1));
  machine_.save();
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  const VerifyReport report = verified();
  EXPECT_EQ(report.outcome, VerifyOutcome::unavailable);
  EXPECT_EQ(report.error->kind, ErrorKind::unavailable);
  EXPECT_THAT(report.damaged_objects, IsEmpty());
}

TEST_F(Verify, WhatIsCollectedMeanwhileIsNoDamage) {
  put_file(machine_.directory() / "large", noise(1'200'000, 1));
  machine_.save();
  const store::Key old = pack(0);
  // Purged by hand and saved anew, between its look at HEAD and its look at the pack.
  bool done = false;
  store_.before_each([&](const support::Operation& operation) {
    if (done || operation.key != old.text()) return;
    done = true;
    for (const store::Key& key : all_objects_of(memory_)) ASSERT_TRUE(memory_.remove(key, {}).has_value());
    Machine other(memory_);
    put_file(other.directory() / "file", "x");
    other.save();
  });
  EXPECT_EQ(verified().outcome, VerifyOutcome::sound);
  EXPECT_TRUE(done);
}

TEST_F(Verify, AllCachesOfAStoreAreFound) {
  for (const char* app : {"b/c", "a", "..", "a.b-c"}) {
    Machine machine(store_, app);
    put_file(machine.directory() / "file", "x");
    ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  }
  std::vector<std::string> apps;
  const std::vector<Name> names = find_caches(store_, {}).value();
  for (const Name& name : names) {
    EXPECT_EQ(name.stack, "heroku-24");
    EXPECT_EQ(name.arch, "amd64");
    apps.push_back(name.app);
  }
  EXPECT_THAT(apps, ::testing::UnorderedElementsAre("b/c", "a", "..", "a.b-c"));
}

}  // namespace
}  // namespace hearth::cache::testing
