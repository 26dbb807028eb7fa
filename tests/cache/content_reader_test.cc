#include "cache/operator/content_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>

#include "cache/engine_support.h"
#include "cache/operator/generation_tar.h"
#include "store/forwarding.h"
#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "util/unpack.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ContentReading : public ::testing::Test {
 protected:
  OpenedGeneration opened() { return open_generation(store_, layout_, "0", {}).value(); }

  static std::vector<std::uint32_t> files_of(const Manifest& manifest) {
    std::vector<std::uint32_t> files;
    for (std::uint32_t index = 0; index < manifest.entries.size(); ++index) {
      if (manifest.entries[index].kind == EntryKind::file) files.push_back(index);
    }
    return files;
  }

  // In pieces of this size.
  static Result<std::string> read_all(ContentReader& reader, std::size_t piece) {
    std::string content;
    std::vector<std::byte> bytes(piece);
    while (true) {
      const std::size_t count = TRY(reader.read(bytes));
      content.append(reinterpret_cast<const char*>(bytes.data()), count);
      if (count < piece) return content;
    }
  }

  std::string on_disk(const Path& path) { return util::read_file(machine_.directory() / path.text()).value(); }

  std::string tar_of(const OpenedGeneration& generation, std::size_t piece) {
    GenerationTar tar(store_, layout_, generation, {});
    std::string bytes;
    std::vector<std::byte> buffer(piece);
    while (true) {
      const std::size_t count = tar.read(buffer).value();
      bytes.append(reinterpret_cast<const char*>(buffer.data()), count);
      if (count < piece) return bytes;
    }
  }

  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
  Machine machine_{store_};
  Layout layout_ = Layout::of(kName).value();
};

TEST_F(ContentReading, AreThoseOfTheFiles) {
  make_rich_tree(machine_.directory());
  make_plain_tree(machine_.directory() / "more", 30, 40'000);
  machine_.save();
  put_file(machine_.directory() / "more/dir1/file8", noise(700'000, 3));
  machine_.save();
  const OpenedGeneration generation = opened();
  const std::vector<std::uint32_t> files = files_of(generation.manifest);
  for (const std::size_t piece : {std::size_t{977}, std::size_t{4096}, std::size_t{3} << 20}) {
    ContentReader reader(store_, layout_, generation, files, {});
    for (const std::uint32_t index : files) {
      reader.open(index);
      const Path path = generation.manifest.entries[index].path;
      EXPECT_EQ(read_all(reader, piece).value(), on_disk(path)) << path;
    }
  }
}

TEST_F(ContentReading, InAnyOrderAndOfLinks) {
  make_rich_tree(machine_.directory());
  machine_.save();
  const OpenedGeneration generation = opened();
  ContentReader reader(store_, layout_, generation, {}, {});
  const Entries& entries = generation.manifest.entries;
  for (const char* name : {"zz-third", "sparse", "large", "hole", "a-b", "large", "empty", "plain.txt"}) {
    reader.open(static_cast<std::uint32_t>(entries.find(std::string(name)).value()));
    EXPECT_EQ(read_all(reader, 65'536).value(), on_disk(std::string(name))) << name;
  }
  reader.open(static_cast<std::uint32_t>(entries.find(std::string("link")).value()));
  EXPECT_EQ(read_all(reader, 10).value(), "");
}

TEST_F(ContentReading, EachBlockIsFetchedOnceInOrder) {
  make_plain_tree(machine_.directory(), 60, 900'000);  // some fifteen blocks in several packs
  machine_.save();
  const OpenedGeneration generation = opened();
  std::mutex mutex;
  std::map<std::string, int> gets;
  support::FaultyStore counting(memory_);
  counting.before_each([&](const support::Operation& operation) {
    const std::lock_guard guard(mutex);
    ++gets[operation.key];
  });
  const std::vector<std::uint32_t> files = files_of(generation.manifest);
  ContentReader reader(counting, layout_, generation, files, {});
  for (const std::uint32_t index : files) {
    reader.open(index);
    ASSERT_TRUE(read_all(reader, 100'000).has_value());
  }
  int all = 0;
  for (const auto& [key, count] : gets) all += count;
  EXPECT_EQ(static_cast<std::size_t>(all), generation.manifest.blocks.size());
}

TEST_F(ContentReading, DamageIsNeverHandedOut) {
  put_file(machine_.directory() / "a", noise(6'000'000, 1));
  machine_.save();
  const OpenedGeneration generation = opened();
  std::vector<store::Key> packs = objects_of(store_);
  std::erase_if(packs, [](const store::Key& key) { return !key.text().contains("/pack/"); });
  const std::string good = on_disk(std::string("a"));
  const auto expect_refused = [&] {
    ContentReader reader(store_, layout_, generation, {0}, {});
    reader.open(0);
    std::string content;
    std::vector<std::byte> bytes(50'000);
    Result<std::size_t> count = reader.read(bytes);
    for (; count && *count > 0; count = reader.read(bytes)) {
      content.append(reinterpret_cast<const char*>(bytes.data()), *count);
    }
    ASSERT_FALSE(count.has_value());
    EXPECT_EQ(count.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(count.error().message, HasSubstr("/pack/"));
    EXPECT_TRUE(good.starts_with(content));
    EXPECT_LT(content.size(), good.size());
  };
  store_.corrupt(packs.back(), 5000);
  expect_refused();
  store_.heal();
  store_.truncate(packs.back(), 3000);
  expect_refused();
  store_.heal();
  store_.hide(packs.front());
  expect_refused();
  store_.heal();
  store_.refuse(support::Verb::get, ErrorKind::unavailable);
  ContentReader reader(store_, layout_, generation, {0}, {});
  reader.open(0);
  EXPECT_EQ(read_all(reader, 1000).error().kind, ErrorKind::unavailable);
}

TEST_F(ContentReading, AStopEndsIt) {
  put_file(machine_.directory() / "a", noise(2'000'000, 1));
  machine_.save();
  const OpenedGeneration generation = opened();
  std::stop_source source;
  ContentReader reader(store_, layout_, generation, {0}, source.get_token());
  reader.open(0);
  std::vector<std::byte> bytes(1000);
  ASSERT_EQ(reader.read(bytes).value(), 1000U);
  source.request_stop();
  EXPECT_EQ(reader.read(bytes).error().kind, ErrorKind::cancelled);
}

// Gives one block of a pack; all else only waits to be stopped.
class SlowStore : public store::Forwarding {
 public:
  SlowStore(store::ObjectStore& inner, store::Key key, std::uint64_t offset)
      : Forwarding({std::shared_ptr<void>(), &inner}), key_(std::move(key)), offset_(offset) {}

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override {
    if (key == key_ && range.offset == offset_) return Forwarding::get(key, range, std::move(stop));
    ++waiting_;
    while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return fail(ErrorKind::cancelled, "stopped");
  }
  int waiting() const { return waiting_; }

 private:
  const store::Key key_;
  const std::uint64_t offset_;
  std::atomic<int> waiting_ = 0;
};

TEST_F(ContentReading, WhoLosesInterestDoesNotWait) {
  put_file(machine_.directory() / "a", noise(20'000'000, 1));
  machine_.save();
  const OpenedGeneration generation = opened();
  const Manifest& manifest = generation.manifest;
  const Block& first = manifest.blocks[manifest.entries[0].extents.front().block];
  const PackName& pack = manifest.packs.at(first.pack);
  SlowStore slow(memory_, layout_.key({generation.epoch, ObjectKind::pack, pack.save, pack.number}), first.offset);
  {
    ContentReader reader(slow, layout_, generation, {0}, {});
    reader.open(0);
    std::vector<std::byte> bytes(10);
    ASSERT_TRUE(reader.read(bytes).has_value());
    while (slow.waiting() < 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GE(slow.waiting(), 2);  // it is over, although nothing was answered
}

TEST_F(ContentReading, TheTarUnpacksToTheSameTree) {
  make_rich_tree(machine_.directory());
  ASSERT_EQ(::chmod(machine_.directory().c_str(), 0750), 0);
  put_file(machine_.directory() / std::string(120, 'n') / std::string(200, 'm'), "long names");
  fs::create_symlink(std::string(300, 't'), machine_.directory() / "long-target");
  machine_.save();
  const std::string bytes = tar_of(opened(), 1 << 20);
  EXPECT_EQ(bytes.size() % 512, 0U);
  const util::TempDir place = util::TempDir::create(machine_.place(), "tar-").value();
  const fs::path file = place.path() / "file.tar";
  ASSERT_TRUE(util::write_file(file, bytes).has_value());
  const fs::path tree = place.path() / "tree";
  fs::create_directory(tree);
  const util::Fd fd = util::open_file(file, O_RDONLY).value();
  const util::Unpacked unpacked = util::unpack(fd, tree, {}, {}).value();
  EXPECT_EQ(unpacked.entries, opened().manifest.entries.size());
  Picture expected = restored_picture(store_);
  Picture found = picture(tree);
  ASSERT_TRUE(unpacked.top.has_value());
  EXPECT_EQ(unpacked.top->mode, 0750U);
  ASSERT_TRUE(unpacked.top->mtime.has_value());
  EXPECT_EQ(unpacked.top->mtime->tv_sec * 1'000'000'000 + unpacked.top->mtime->tv_nsec, expected.at("").mtime);
  // The directory itself keeps what it was; and a fraction of a time before 1970 is not kept.
  expected.erase("");
  found.erase("");
  expected.at("a-b").mtime = -5'000'000'000;
  EXPECT_EQ(found, expected);
}

TEST_F(ContentReading, TheTarIsTheSameHoweverItIsRead) {
  make_rich_tree(machine_.directory());
  machine_.save();
  const OpenedGeneration generation = opened();
  const std::string whole = tar_of(generation, 1 << 20);
  EXPECT_EQ(tar_of(generation, 777), whole);
  // Another cache with the same tree, stored in one go from elsewhere.
  Machine other(store_, "other");
  fs::rename(machine_.directory(), other.directory());
  ASSERT_EQ(other.save().outcome, SaveOutcome::saved);
  const Layout layout = Layout::of({"other", "heroku-24", "amd64"}).value();
  const OpenedGeneration again = open_generation(store_, layout, "0", {}).value();
  GenerationTar tar(store_, layout, again, {});
  std::vector<std::byte> bytes(whole.size() + 1);
  ASSERT_EQ(tar.read(bytes).value(), whole.size());
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(bytes.data()), whole.size()), whole);
}

}  // namespace
}  // namespace hearth::cache::testing
