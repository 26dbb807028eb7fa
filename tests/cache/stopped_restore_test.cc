// How soon a restore ends that somebody stops while it makes what has no content.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/engine_support.h"
#include "store/memory_store.h"
#include "support/file_calls.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using support::FileCall;

// Stops at the first call of a kind, and counts those that come all the same.
class Stopper : public support::FileCallListener {
 public:
  Stopper(const fs::path& place, FileCall::Kind kind) : FileCallListener(place), kind_(kind) {}

  void before(const FileCall& call) override {
    if (call.kind != kind_) return;
    ++calls_;
    source_.request_stop();
  }
  std::stop_token token() const { return source_.get_token(); }
  int calls() const { return calls_; }

 private:
  const FileCall::Kind kind_;
  std::stop_source source_;
  int calls_ = 0;
};

TEST(StoppedRestore, AmongManyHardLinksEndsSoon) {
  constexpr int kLinks = 5'000;
  store::MemoryStore memory;
  Machine machine(memory);
  put_file(machine.directory() / "file", "x");
  for (int i = 0; i < kLinks; ++i) {
    fs::create_hard_link(machine.directory() / "file", machine.directory() / fmt::format("link{}", i));
  }
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  Machine other(memory);
  const Stopper stopper(other.place(), FileCall::Kind::link);
  EXPECT_EQ(other.restore(restoring_with(1), stopper.token()).outcome, RestoreOutcome::late);
  EXPECT_GT(stopper.calls(), 0);
  EXPECT_LE(stopper.calls(), 1024);
}

}  // namespace
}  // namespace hearth::cache::testing
