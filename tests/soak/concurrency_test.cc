// Many savers, restorers and collectors of one cache at the same time, and an operator who rolls back and purges, over
// a store whose clock runs fast. Takes HEARTH_SOAK_SECONDS for each kind of store.
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "cache/engine_support.h"
#include "cache/generations/collect.h"
#include "cache/generations/commit.h"
#include "soak/history_store.h"
#include "store/local_store.h"
#include "store/memory_store.h"
#include "util/hash.h"

namespace hearth::soak {
namespace {

namespace fs = std::filesystem;
using cache::testing::Machine;

constexpr int kSavers = 16;
constexpr int kRestorers = 4;
constexpr int kCollectors = 4;
// Less than the grace, and no restore sees more than one of them.
constexpr std::chrono::minutes kTick{50};
constexpr std::chrono::milliseconds kTickEvery{30};
constexpr std::chrono::milliseconds kSweepEvery{100};
constexpr std::chrono::milliseconds kOperateEvery{300};

std::chrono::seconds duration() {
  const char* const seconds = std::getenv("HEARTH_SOAK_SECONDS");
  return std::chrono::seconds(seconds == nullptr ? 2 : std::atoi(seconds));
}

// A directory in a few bytes.
std::string fingerprint(const fs::path& directory) {
  std::ostringstream text;
  for (const auto& [path, node] : cache::testing::picture(directory)) text << path << '\n' << node << '\n';
  return util::sha256(text.str()).hex();
}

// Lets the clock tick only while no restore would see it tick twice: a restore takes less than the grace.
class Clock {
 public:
  explicit Clock(HistoryStore& store) : store_(store) {}

  // While it lives, the clock ticks once at most.
  class Pass {
   public:
    explicit Pass(Clock& clock) : clock_(clock) {
      const std::scoped_lock lock(clock_.mutex_);
      entered_ = clock_.under_way_.insert(clock_.ticks_);
    }
    ~Pass() {
      const std::scoped_lock lock(clock_.mutex_);
      clock_.under_way_.erase(entered_);
      clock_.changed_.notify_all();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    Clock& clock_;
    std::multiset<int>::iterator entered_;
  };

  void run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      const bool free =
          changed_.wait(lock, stop, [this] { return under_way_.empty() || *under_way_.begin() == ticks_; });
      if (!free) return;
      ++ticks_;
      store_.advance(kTick);
      changed_.wait_for(lock, stop, kTickEvery, [] { return false; });
    }
  }

  int ticks() const { return ticks_; }

 private:
  HistoryStore& store_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::multiset<int> under_way_;  // at which tick each began
  int ticks_ = 0;
};

class Soak {
 public:
  explicit Soak(store::ObjectStore& inner)
      : layout_(cache::Layout::of({"demo", "heroku-24", "amd64"}).value()), store_(inner, layout_), clock_(store_) {}

  void run() {
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < kSavers; ++i)
        threads.emplace_back([this, i](const std::stop_token& stop) { save(i, stop); });
      for (unsigned i = 0; i < kRestorers; ++i)
        threads.emplace_back([this](const std::stop_token& stop) { restore(stop); });
      for (unsigned i = 0; i < kCollectors; ++i)
        threads.emplace_back([this](const std::stop_token& stop) { collect(stop); });
      threads.emplace_back([this](const std::stop_token& stop) { operate(stop); });
      threads.emplace_back([this](const std::stop_token& stop) { clock_.run(stop); });
      // Longer where the machine is so slow that nothing was saved and restored yet.
      const auto end = std::chrono::steady_clock::now() + duration();
      while (std::chrono::steady_clock::now() < end || !is_enough()) std::this_thread::sleep_for(kTickEvery);
      for (std::jthread& thread : threads) thread.request_stop();
    }
    judge();
  }

 private:
  struct Restored {
    std::string generation;
    std::string fingerprint;
  };

  void save(unsigned number, const std::stop_token& stop) {
    Machine machine(store_);
    std::mt19937 random(number);
    for (unsigned round = 0; !stop.stop_requested(); ++round) {
      if (random() % 3 != 0) restore_into(machine);
      change(machine.directory(), fmt::format("{}-{}", number, round), random);
      const std::string now = fingerprint(machine.directory());
      const cache::SaveReport report = machine.save();
      const std::scoped_lock lock(mutex_);
      ++outcomes_[fmt::format("save {}", name(report.outcome))];
      for (const std::string& warning : report.warnings) warnings_.insert(warning);
      if (report.outcome == cache::SaveOutcome::saved) saved_.emplace(report.generation, now);
    }
  }

  bool is_enough() {
    const std::scoped_lock lock(mutex_);
    return outcomes_.contains("save saved") && outcomes_.contains("restore hit");
  }

  static void change(const fs::path& directory, const std::string& word, std::mt19937& random) {
    // Enough for packs, and the same for all at first.
    if (!fs::exists(directory / "large"))
      cache::testing::put_file(directory / "large", cache::testing::noise(1'200'000, 0));
    const auto file = [&] { return directory / fmt::format("file{}", random() % 20); };
    cache::testing::put_file(file(), word);
    fs::remove(file());
    const auto seed = static_cast<unsigned>(random() % 50);
    if (random() % 4 == 0) cache::testing::put_file(directory / "large", cache::testing::noise(1'200'000, seed));
    if (random() % 4 == 0) cache::testing::put_file(file(), cache::testing::noise(100'000, seed));
  }

  void restore_into(Machine& machine) {
    cache::RestoreReport report;
    {
      const Clock::Pass pass(clock_);
      // Where no save went well, the directory is not known as the cache's.
      EXPECT_TRUE(cache::make_room(machine.directory(), machine.index(), cache::Replace::yes).has_value());
      report = machine.restore();
    }
    const std::string now = fingerprint(machine.directory());
    const std::scoped_lock lock(mutex_);
    ++outcomes_[fmt::format("restore {}", name(report.outcome))];
    for (const std::string& warning : report.warnings) warnings_.insert(warning);
    if (!report.generation.empty()) restored_.push_back({report.generation, now});
  }

  void restore(const std::stop_token& stop) {
    Machine machine(store_);
    while (!stop.stop_requested()) {
      restore_into(machine);
      cache::testing::wipe(machine.directory());
    }
  }

  void collect(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      // Each sweep writes HEAD: without a pause hardly a save would get between them.
      wait(kSweepEvery, stop);
      const auto report = cache::sweep(store_, layout_, {});
      const std::scoped_lock lock(mutex_);
      ++outcomes_[report ? "sweep done" : fmt::format("sweep {}", name(report.error().kind))];
      if (report) deleted_ += report->deleted.objects;
    }
  }

  static void wait(std::chrono::milliseconds time, const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock waiting(mutex);
    never.wait_for(waiting, stop, time, [] { return false; });
  }

  // Now and then the newest generation is rolled back, and less often everything is purged.
  void operate(const std::stop_token& stop) {
    const cache::Transition back = [](const cache::Seen& seen) -> Result<std::optional<cache::Head>> {
      if (seen.head.generations.size() < 2) return std::nullopt;
      return TRY(cache::rolled_back(seen, seen.head.generations[1].id));
    };
    for (int round = 1; !stop.stop_requested(); ++round) {
      wait(kOperateEvery, stop);
      const bool purges = round % 5 == 0;
      const Result<void> done =
          purges ? nothing(cache::purge(store_, layout_, {})) : nothing(cache::update_head(store_, layout_, back, {}));
      const std::scoped_lock lock(mutex_);
      ++outcomes_[fmt::format("{} {}", purges ? "purge" : "rollback", done ? "done" : name(done.error().kind))];
    }
  }

  template <class T>
  static Result<void> nothing(const Result<T>& result) {
    if (!result) return std::unexpected(result.error());
    return {};
  }

  void judge() {
    const std::vector<std::string> violations = store_.violations();
    EXPECT_TRUE(violations.empty()) << violations.front();
    for (const auto& [generation, fingerprint] : saved_) {
      EXPECT_TRUE(store_.generations().contains(generation)) << "saved, and never in a HEAD: " << generation;
    }
    EXPECT_EQ(store_.generations().size(), saved_.size());
    for (const auto& [generation, fingerprint] : restored_) {
      const auto saved = saved_.find(generation);
      ASSERT_NE(saved, saved_.end()) << "restored, and never saved: " << generation;
      ASSERT_EQ(fingerprint, saved->second) << "restored otherwise than saved: " << generation;
    }
    std::string told = fmt::format("{} HEADs, {} objects removed, {} by sweeps, {} ticks", store_.written_heads(),
                                   store_.removed_objects(), deleted_, clock_.ticks());
    for (const auto& [outcome, count] : outcomes_) {
      told += fmt::format(", {} {}", count, outcome);
      // A writer that others are always faster than gives up with a conflict; nothing else may fail.
      const bool bad = outcome == "restore damaged" || outcome == "restore unavailable" ||
                       outcome == "restore fallback" ||
                       (outcome.starts_with("sweep ") && outcome != "sweep done" && outcome != "sweep conflict");
      EXPECT_FALSE(bad) << count << " times: " << outcome;
    }
    for (const std::string& warning : warnings_) fmt::print("{}\n", warning);
    fmt::print("{}\n", told);
  }

  const cache::Layout layout_;
  HistoryStore store_;
  Clock clock_;
  std::mutex mutex_;
  std::map<std::string, std::string> saved_;  // by generation
  std::vector<Restored> restored_;
  std::map<std::string, int> outcomes_;
  std::set<std::string> warnings_;
  std::uint64_t deleted_ = 0;
};

TEST(Concurrency, OfAStoreInMemory) {
  store::MemoryStore store;
  Soak(store).run();
}

TEST(Concurrency, OfFiles) {
  const auto place = util::TempDir::create(fs::temp_directory_path(), "hearth-soak-").value();
  const auto store = store::LocalStore::open(place.path() / "store").value();
  Soak(*store).run();
}

}  // namespace
}  // namespace hearth::soak
