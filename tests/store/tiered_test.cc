#include "store/tiered.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "store/local_factory.h"
#include "store/memory_store.h"
#include "store/open.h"
#include "support/faulty_store.h"

namespace hearth::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

Key key(const std::string& text) {
  return Key::parse(text).value();
}

// Bytes in which each stretch is unlike any other.
std::string content(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : text) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return text;
}

std::string text_of(const Object& object) {
  std::string text(object.bytes.size(), '\0');
  std::ranges::transform(object.bytes, text.begin(), [](std::byte byte) { return static_cast<char>(byte); });
  return text;
}

// A store whose gets are counted, and a tier of its own directory.
class Tier : public testing::Test {
 protected:
  explicit Tier(std::uint64_t bytes = 100 << 20) : options_(options_for(directory_->path() / "tier", bytes)) {
    EXPECT_TRUE(prepare_tier(options_));
    tiered_ = another();
    faulty_->before_each([this](const support::Operation& operation) {
      if (operation.verb == support::Verb::get) ++gets_;
    });
  }

  static TierOptions options_for(const fs::path& directory, std::uint64_t bytes) {
    return {.directory = directory, .bytes = bytes, .written_once = [](const Key& key) {
              return key.text().starts_with("once/");
            }};
  }

  // As another process that shares the directory.
  std::unique_ptr<Tiered> another() { return std::make_unique<Tiered>(faulty_, options_, meter_); }

  void put(const std::string& name, const std::string& bytes, ObjectStore& store) {
    ASSERT_TRUE(store.put(key(name), std::as_bytes(std::span(bytes)), Condition::none(), {}));
  }
  void put_behind(const std::string& name, const std::string& bytes) { put(name, bytes, memory_); }

  std::string get(const std::string& name, ByteRange range = {}) {
    const Result<Object> object = tiered_->get(key(name), range, {});
    return object ? text_of(*object) : object.error().message;
  }

  std::vector<fs::path> copies() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(options_.directory / "objects")) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
    return found;
  }

  std::shared_ptr<util::TempDir> directory_ = temporary_directory();
  const TierOptions options_;
  MemoryStore memory_;
  std::shared_ptr<support::FaultyStore> faulty_ = std::make_shared<support::FaultyStore>(memory_);
  std::shared_ptr<Meter> meter_ = std::make_shared<Meter>();
  std::unique_ptr<Tiered> tiered_;
  std::atomic<int> gets_ = 0;
};

TEST_F(Tier, FetchesOnce) {
  const std::string bytes = content(300'000);
  put_behind("once/a", bytes);
  EXPECT_EQ(get("once/a"), bytes);
  EXPECT_EQ(gets_, 1);
  EXPECT_EQ(get("once/a"), bytes);
  tiered_ = another();
  const Object object = tiered_->get(key("once/a"), {}, {}).value();
  EXPECT_EQ(text_of(object), bytes);
  EXPECT_EQ(gets_, 1);
  const ObjectInfo behind = memory_.stat(key("once/a"), {}).value();
  EXPECT_EQ(object.info.size, bytes.size());
  EXPECT_EQ(object.info.version, behind.version);
  EXPECT_EQ(object.info.modified, behind.modified);
  const MeterReading::Tier reading = meter_->read().tier.value();
  EXPECT_EQ(reading.hits, 2U);
  EXPECT_EQ(reading.misses, 1U);
  EXPECT_EQ(reading.bytes, 2 * bytes.size());
}

TEST_F(Tier, AnswersEveryRangeAsTheStoreDoes) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'536}, std::size_t{200'001}}) {
    const std::string name = fmt::format("once/{}", size);
    put_behind(name, content(size));
    for (const std::uint64_t offset : {0UL, 1UL, 65'535UL, 65'536UL, 65'537UL, 200'000UL, 200'001UL, 200'002UL}) {
      for (const std::uint64_t length : {0UL, 1UL, 65'536UL, 100'000UL, ~0UL}) {
        const Result<Object> expected = memory_.get(key(name), {offset, length}, {});
        const Result<Object> found = tiered_->get(key(name), {offset, length}, {});
        ASSERT_EQ(found.has_value(), expected.has_value()) << size << ' ' << offset << ' ' << length;
        if (expected) {
          ASSERT_EQ(text_of(*found), text_of(*expected)) << size << ' ' << offset << ' ' << length;
        } else {
          ASSERT_EQ(found.error().kind, expected.error().kind);
        }
      }
    }
  }
  EXPECT_GT(meter_->read().tier.value().hits, 50U);
}

TEST_F(Tier, WhatChangesIsAlwaysAskedFor) {
  put_behind("HEAD", "old");
  EXPECT_EQ(get("HEAD"), "old");
  put_behind("HEAD", "new");
  EXPECT_EQ(get("HEAD"), "new");
  EXPECT_EQ(gets_, 2);
  EXPECT_THAT(copies(), ElementsAre());
}

TEST_F(Tier, KeepsWhatIsPut) {
  put("once/a", content(1000), *tiered_);
  EXPECT_EQ(get("once/a"), content(1000));
  EXPECT_EQ(gets_, 0);
}

TEST_F(Tier, KeepsNothingThatWasRefused) {
  put_behind("once/a", content(1000, 1));
  const std::string other = content(1000, 2);
  EXPECT_FALSE(tiered_->put(key("once/a"), std::as_bytes(std::span(other)), Condition::if_absent(), {}));
  EXPECT_EQ(get("once/a"), content(1000, 1));
}

TEST_F(Tier, ForgetsWhatIsRemoved) {
  put("once/a", content(1000), *tiered_);
  put("once/b", content(1000), *tiered_);
  ASSERT_TRUE(tiered_->remove(key("once/a"), {}));
  const std::array rest{key("once/b")};
  ASSERT_TRUE(tiered_->remove_each(rest, {}));
  EXPECT_THAT(copies(), ElementsAre());
  EXPECT_EQ(tiered_->get(key("once/a"), {}, {}).error().kind, ErrorKind::not_found);
}

// Wherever it is damaged: in the content, the sums, the names or the footer.
TEST_F(Tier, ADamagedCopyIsFetchedAnew) {
  const std::string bytes = content(70'000);
  put("once/a", bytes, *tiered_);
  const fs::path copy = copies().front();
  const std::uint64_t size = fs::file_size(copy);
  ASSERT_GT(size, bytes.size() + 8);
  int damages = 0;
  for (std::uint64_t at = 0; at < size; at += at < bytes.size() ? 4'999 : 1) {
    {
      std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const char byte = static_cast<char>(file.get() ^ 0x10);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    }
    ASSERT_EQ(get("once/a"), bytes) << at;
    ++damages;
    ASSERT_EQ(gets_, damages) << at;
  }
}

TEST_F(Tier, ACutCopyIsFetchedAnew) {
  const std::string bytes = content(1000);
  put("once/a", bytes, *tiered_);
  const fs::path copy = copies().front();
  const std::uint64_t size = fs::file_size(copy);
  for (std::uint64_t length = 0; length < size; length += 7) {
    fs::resize_file(copy, length);
    ASSERT_EQ(get("once/a"), bytes) << length;
  }
  EXPECT_EQ(static_cast<std::uint64_t>(gets_), (size + 6) / 7);
}

TEST_F(Tier, ACopyOfAnotherObjectIsNone) {
  put("once/a", content(1000, 1), *tiered_);
  const fs::path of_a = copies().front();
  put("once/b", content(1000, 2), *tiered_);
  for (const fs::path& copy : copies()) {
    if (copy != of_a) fs::copy_file(copy, of_a, fs::copy_options::overwrite_existing);
  }
  EXPECT_EQ(get("once/a"), content(1000, 1));
}

TEST_F(Tier, OneThreadFetchesForAll) {
  const std::string bytes = content(2'000'000);
  put_behind("once/a", bytes);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        const ByteRange range{i * 200'000, 200'000};
        const Result<Object> object = tiered_->get(key("once/a"), range, {});
        if (object && text_of(*object) == bytes.substr(range.offset, range.length)) ++right;
      });
    }
  }
  EXPECT_EQ(right, 8);
  EXPECT_EQ(gets_, 1);
}

// Whoever waits for another thread's fetch need not wait for its end.
TEST_F(Tier, WaitingEndsWithTheToken) {
  put_behind("once/a", content(1000));
  faulty_->stall();
  std::stop_source first;
  std::jthread fetching([&] { std::ignore = tiered_->get(key("once/a"), {}, first.get_token()); });
  while (gets_ == 0) std::this_thread::yield();
  std::stop_source second;
  second.request_stop();
  EXPECT_EQ(tiered_->get(key("once/a"), {}, second.get_token()).error().kind, ErrorKind::cancelled);
  first.request_stop();
  fetching.join();
  faulty_->resume();
  EXPECT_EQ(get("once/a"), content(1000));
}

TEST_F(Tier, AFailureIsNotKept) {
  put_behind("once/a", content(1000));
  faulty_->refuse(support::Verb::get, ErrorKind::unavailable);
  EXPECT_EQ(tiered_->get(key("once/a"), {}, {}).error().kind, ErrorKind::unavailable);
  faulty_->forgive();
  EXPECT_EQ(get("once/a"), content(1000));
}

TEST_F(Tier, ADiskThatTakesNothingHurtsNobody) {
  fs::remove_all(options_.directory);
  std::ofstream(options_.directory) << "a file";
  put_behind("once/a", content(1000));
  EXPECT_EQ(get("once/a"), content(1000));
  EXPECT_EQ(get("once/a"), content(1000));
  EXPECT_EQ(gets_, 2);
}

TEST_F(Tier, StoresWithTheSameKeysAreApart) {
  const std::shared_ptr<ObjectStore> one = open_local(directory_->path() / "one");
  const std::shared_ptr<ObjectStore> two = open_local(directory_->path() / "two");
  Tiered tier_of_one(one, options_, meter_);
  Tiered tier_of_two(two, options_, meter_);
  put("once/a", "one", tier_of_one);
  put("once/a", "two", tier_of_two);
  EXPECT_EQ(text_of(tier_of_one.get(key("once/a"), {}, {}).value()), "one");
  EXPECT_EQ(text_of(tier_of_two.get(key("once/a"), {}, {}).value()), "two");
}

class SmallTier : public Tier {
 protected:
  SmallTier() : Tier(1 << 20) {}
};

TEST_F(SmallTier, WhatWasNotUsedForLongestGoesFirst) {
  for (int i = 0; i < 8; ++i) put(fmt::format("once/{}", i), content(100'000, static_cast<unsigned>(i)), *tiered_);
  EXPECT_EQ(get("once/0"), content(100'000, 0));
  EXPECT_EQ(gets_, 0);
  for (int i = 8; i < 14; ++i) put(fmt::format("once/{}", i), content(100'000, static_cast<unsigned>(i)), *tiered_);
  std::uint64_t bytes = 0;
  for (const fs::path& copy : copies()) bytes += fs::file_size(copy);
  EXPECT_LE(bytes, (1U << 20) + (1U << 16));
  EXPECT_GE(copies().size(), 6U);
  EXPECT_EQ(get("once/0"), content(100'000, 0));
  EXPECT_EQ(get("once/13"), content(100'000, 13));
  EXPECT_EQ(gets_, 0);
  EXPECT_EQ(get("once/1"), content(100'000, 1));
  EXPECT_EQ(gets_, 0 + 1);
}

TEST_F(SmallTier, WhatDoesNotFitIsPassedOn) {
  put_behind("once/a", content(2'000'000));
  EXPECT_EQ(get("once/a"), content(2'000'000));
  EXPECT_EQ(get("once/a", {5, 10}), content(2'000'000).substr(5, 10));
  EXPECT_EQ(gets_, 2);
  EXPECT_THAT(copies(), ElementsAre());
}

TEST(TierOfAStore, ThatCannotBeUsedIsAWarning) {
  const auto directory = temporary_directory();
  std::ofstream(directory->path() / "file") << "x";
  OpenOptions options;
  options.tier = {
      .directory = directory->path() / "file" / "tier", .bytes = 1000, .written_once = [](const Key&) { return true; }};
  const Result<OpenStore> opened = open((directory->path() / "store").native(), options);
  ASSERT_TRUE(opened);
  EXPECT_THAT(opened->warning, testing::HasSubstr("without the tier"));
  EXPECT_EQ(opened->store->get(key("a"), {}, {}).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace hearth::store
