// The power goes at any moment of a story of saves into a store of files: what was acknowledged is there, and the cache
// is the old one or the new one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cache/engine_support.h"
#include "cache/format/layout.h"
#include "cache/generations/collect.h"
#include "cache/operator/verify.h"
#include "store/local_store.h"
#include "support/disk_model.h"
#include "util/hash.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::DiskRecorder;
using support::DiskState;
using support::Syncs;
using support::Unsynced;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::size_t kForever = SIZE_MAX;

// Something that is to be there from one cut to another one.
template <class What>
struct Change {
  What what;
  std::size_t begun = 0;
  std::size_t done = kForever;
};

// Of changes in a row, those that may be in force after the cut: the last that was done, and what was begun since.
template <class What>
std::vector<What> possible(const std::vector<Change<What>>& changes, std::size_t cut) {
  std::vector<What> result;
  for (const Change<What>& change : changes) {
    if (change.done <= cut) result.clear();
    if (change.begun <= cut) result.push_back(change.what);
  }
  return result;
}

// Passes everything on, and puts down when each object was written and removed. "": it is not there.
class Ledger : public store::ObjectStore {
 public:
  Ledger(store::ObjectStore& inner, const DiskRecorder& recorder) : inner_(inner), recorder_(recorder) {}

  const std::map<store::Key, std::vector<Change<std::string>>>& objects() const { return objects_; }

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override {
    return inner_.get(key, range, std::move(stop));
  }
  Result<store::Version> put(const store::Key& key, store::Body body, const store::Condition& condition,
                             std::stop_token stop) override {
    // Packs come as files; what is in them is asked for afterwards.
    const std::size_t change = begin(key, "?");
    Result<store::Version> version = inner_.put(key, body, condition, stop);
    const std::scoped_lock lock(mutex_);
    objects_.at(key)[change].what = util::sha256(inner_.get(key, {}, stop).value().bytes).hex();
    if (version) objects_.at(key)[change].done = recorder_.size();
    return version;
  }
  Result<store::ObjectInfo> stat(const store::Key& key, std::stop_token stop) override {
    return inner_.stat(key, std::move(stop));
  }
  Result<void> list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) override {
    return inner_.list(prefix, visit, std::move(stop));
  }
  // A removal may be undone by a power cut, so it is never done.
  Result<void> remove(const store::Key& key, std::stop_token stop) override {
    begin(key, "");
    return inner_.remove(key, std::move(stop));
  }
  store::CompareAndSwap compare_and_swap() const override { return inner_.compare_and_swap(); }
  std::string description() const override { return inner_.description(); }

 private:
  std::size_t begin(const store::Key& key, std::string what) {
    const std::scoped_lock lock(mutex_);
    std::vector<Change<std::string>>& changes = objects_[key];
    if (changes.empty()) changes.push_back({.what = "", .begun = 0, .done = 0});
    changes.push_back({.what = std::move(what), .begun = recorder_.size()});
    return changes.size() - 1;
  }

  store::ObjectStore& inner_;
  const DiskRecorder& recorder_;
  std::mutex mutex_;
  std::map<store::Key, std::vector<Change<std::string>>> objects_;
};

class PowerCut : public ::testing::Test {
 protected:
  // Saves, a purge, and a save again.
  void SetUp() override {
    const fs::path root = place_.path() / "store";
    fs::create_directory(root);
    recorder_ = std::make_unique<DiskRecorder>(root);
    const auto store = store::LocalStore::open(root).value();
    ledger_ = std::make_unique<Ledger>(*store, *recorder_);
    Machine machine(*ledger_);
    states_.push_back({.what = {}, .begun = 0, .done = 0});
    for (int day = 0; day < 2; ++day) {
      put_file(machine.directory() / fmt::format("day{}", day), noise(3000, 10 + static_cast<unsigned>(day)));
      change(picture(machine.directory()), [&] { ASSERT_EQ(machine.save().outcome, SaveOutcome::saved); });
    }
    change({}, [&] { ASSERT_TRUE(purge(*ledger_, Layout::of(kName).value(), {})); });
    // Last, since all cuts after it have to read it. It lies in a pack.
    put_file(machine.directory() / "large", noise(1'100'000, 1));
    fs::remove(machine.index());
    change(picture(machine.directory()), [&] { ASSERT_EQ(machine.save().outcome, SaveOutcome::saved); });
    calls_ = recorder_->size();
    ASSERT_GT(calls_, 100U);
  }

  void change(Picture to, const std::function<void()>& work) {
    states_.push_back({.what = std::move(to), .begun = recorder_->size()});
    work();
    states_.back().done = recorder_->size();
  }

  // What is wrong, a line each; ends with the first if it is asked to.
  enum class Find { all, first };
  std::vector<std::string> violations(Syncs syncs, Find find) {
    std::vector<std::string> found;
    std::minstd_rand random(1);
    for (std::size_t cut = 0; cut <= calls_; ++cut) {
      for (const Unsynced unsynced :
           {Unsynced::lost, Unsynced::names_only, Unsynced::names_and_zeros, Unsynced::kept, Unsynced::random}) {
        const DiskState state = recorder_->state_after_cut(cut, unsynced, syncs, random);
        for (std::string& violation : judge(state, cut)) {
          found.push_back(fmt::format("cut at {}, {}: {}", cut, static_cast<int>(unsynced), violation));
        }
        if (find == Find::first && !found.empty()) return found;
      }
    }
    return found;
  }

  // The same state with the same promises is looked at once.
  bool is_new(const DiskState& state, std::size_t cut) {
    std::string text;
    for (const auto& [path, file] : state) {
      text += fmt::format("{} {} {}\n", path, file.is_directory, util::sha256(file.bytes).hex());
    }
    for (const auto& [key, changes] : ledger_->objects()) {
      for (const std::string& what : possible(changes, cut)) text += key.text() + what;
    }
    text += fmt::format("{}", possible(states_, cut).size());
    return seen_.insert(util::sha256(text).hex()).second;
  }

  std::vector<std::string> judge(const DiskState& state, std::size_t cut) {
    std::vector<std::string> found;
    if (!is_new(state, cut)) return found;
    const util::TempDir place = util::TempDir::create(place_.path(), "cut-").value();
    support::put_on_disk(state, place.path());
    const auto store = store::LocalStore::open(place.path()).value();
    for (const auto& [key, changes] : ledger_->objects()) {
      const auto object = store->get(key, {}, {});
      const std::string there = object ? util::sha256(object->bytes).hex() : "";
      const std::vector<std::string> expected = possible(changes, cut);
      if (std::ranges::find(expected, there) == expected.end()) {
        found.push_back(fmt::format("{} is {}", key.text(), object ? "another one" : "lost"));
      }
    }
    const std::vector<Picture> expected = possible(states_, cut);
    Machine machine(*store);
    const RestoreReport restored = machine.restore();
    if (std::ranges::find(expected, picture(machine.directory())) == expected.end()) {
      found.push_back(fmt::format("the restore, {}, gives none of the possible states", name(restored.outcome)));
    }
    const VerifyOutcome outcome = verify(*store, kName, 1, {}).outcome;
    if (outcome != VerifyOutcome::sound && outcome != VerifyOutcome::absent) {
      found.push_back(fmt::format("verify says that it is {}", name(outcome)));
    }
    if (seen_.size() % 4 != 0) return found;
    put_file(machine.directory() / "afterwards", "x");
    if (machine.save().outcome != SaveOutcome::saved) found.emplace_back("the next save fails");
    return found;
  }

  util::TempDir place_ = util::TempDir::create(fs::temp_directory_path(), "hearth-power-").value();
  std::unique_ptr<DiskRecorder> recorder_;
  std::unique_ptr<Ledger> ledger_;
  std::size_t calls_ = 0;
  std::vector<Change<Picture>> states_;
  std::set<std::string> seen_;
};

TEST_F(PowerCut, LosesNothingThatWasAcknowledged) {
  EXPECT_THAT(violations(Syncs::all, Find::all), IsEmpty());
  EXPECT_GT(seen_.size(), 100U);
}

TEST_F(PowerCut, WouldLoseContentIfFilesWereNotSynced) {
  EXPECT_THAT(violations(Syncs::none_of_files, Find::first), Not(IsEmpty()));
}

TEST_F(PowerCut, WouldLoseObjectsIfDirectoriesWereNotSynced) {
  EXPECT_THAT(violations(Syncs::none_of_directories, Find::first), Not(IsEmpty()));
}

// Those included that were made for it.
TEST(PowerCutOfANewStore, ItsFoldersAreThereToStay) {
  const util::TempDir place = util::TempDir::create(fs::temp_directory_path(), "hearth-power-cut-").value();
  const DiskRecorder recorder(place.path());
  ASSERT_TRUE(store::LocalStore::open(place.path() / "a/b/store"));
  std::minstd_rand unused;
  const DiskState state = recorder.state_after_cut(recorder.size(), Unsynced::lost, Syncs::all, unused);
  for (const char* folder : {"a", "a/b", "a/b/store"}) EXPECT_TRUE(state.contains(folder)) << folder;
}

}  // namespace
}  // namespace hearth::cache::testing
