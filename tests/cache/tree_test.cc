// The parts below save and restore: listing a tree, making one that cannot be led outside, the local index.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "cache/engine_support.h"
#include "cache/generations/compaction.h"
#include "cache/restore/fill.h"
#include "cache/tree/beside.h"
#include "cache/tree/create.h"
#include "cache/tree/file_reader.h"
#include "cache/tree/index.h"
#include "cache/tree/parallel.h"
#include "cache/tree/tree.h"
#include "store/memory_store.h"

namespace hearth::cache::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Tree : public ::testing::Test {
 protected:
  util::TempDir place_ = util::TempDir::create(fs::temp_directory_path(), "hearth-tree-").value();
  fs::path root_ = [this] {
    fs::path root = place_.path() / "root";
    fs::create_directory(root);
    return root;
  }();
};

TEST_F(Tree, IsListedInBytewiseOrder) {
  for (const char* name : {"b", "a/z", "a-b", "a/b/c", "Z"}) put_file(root_ / name, "x");
  Warnings warnings;
  std::vector<std::string> paths;
  const Listing found = walk(Directories::open(root_)->root(), 2, {}, warnings, {}).value();
  for (std::size_t i = 0; i < found.size(); ++i) paths.push_back(found[i].path.text());
  EXPECT_THAT(paths, ElementsAre("Z", "a", "a-b", "a/b", "a/b/c", "a/z", "b"));
  EXPECT_THAT(warnings.take(), IsEmpty());
}

TEST_F(Tree, AStopEndsTheListing) {
  put_file(root_ / "a/b", "x");
  Warnings warnings;
  std::stop_source stop;
  stop.request_stop();
  const auto found = walk(Directories::open(root_)->root(), 2, {}, warnings, stop.get_token());
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().kind, ErrorKind::cancelled);
}

// While it lives, this process can open so many files more.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const util::Fd next = util::open_file("/dev/null", O_RDONLY).value();
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(next.get()) + more;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

// Whole directories would be missing, for no fault of theirs.
TEST_F(Tree, WithoutDescriptorsNothingIsLeftOut) {
  put_file(root_ / "1/2/3/4/5/6/7/8/9/10/11/12/file", "x");
  const Directories root = Directories::open(root_).value();
  for (const rlim_t descriptors : {0U, 3U, 8U}) {
    Warnings warnings;
    const FewDescriptors few(descriptors);
    const auto found = walk(root.root(), 2, {}, warnings, {});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::unavailable) << found.error().message;
    EXPECT_THAT(warnings.take(), IsEmpty());
  }
  Warnings warnings;
  EXPECT_EQ(walk(root.root(), 2, {}, warnings, {})->size(), 13U);
}

TEST_F(Tree, WithoutDescriptorsASaveFailsAndTheOldCacheStays) {
  store::MemoryStore memory;
  Machine machine(memory);
  put_file(machine.directory() / "1/2/3/4/5/6/7/8/9/10/11/12/file", "x");
  ASSERT_EQ(machine.save().outcome, SaveOutcome::saved);
  const Picture tree = picture(machine.directory());
  put_file(machine.directory() / "other", "y");
  {
    const FewDescriptors few(7);
    EXPECT_EQ(machine.save().outcome, SaveOutcome::failed);
  }
  EXPECT_EQ(restored_picture(memory), tree);
}

TEST_F(Tree, WithoutDescriptorsAFileIsNotLeftOut) {
  put_file(root_ / "file", "x");
  Warnings warnings;
  const Directories root = Directories::open(root_).value();
  const Listing found = walk(root.root(), 1, {}, warnings, {}).value();
  FileReader reader(root.root());
  const FewDescriptors few(0);
  std::array<std::byte, 1> room{};
  const auto read = reader.read("file", found.status(0), 0, room);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::unavailable);
}

TEST_F(Tree, NothingIsMadeThroughALink) {
  fs::create_directory(place_.path() / "outside");
  fs::create_symlink("../outside", root_ / "link");
  Creator creator(Directories::open(root_).value(), std::nullopt);
  EXPECT_FALSE(creator.make_file("link/file", {.mode = 0644, .mtime = 0}, 0, {}));
  EXPECT_FALSE(creator.make_directory("link/dir"));
  EXPECT_FALSE(creator.make_symlink("link/link", "x", 0));
  EXPECT_FALSE(creator.make_hard_link("link/hard", "link"));
  EXPECT_TRUE(fs::is_empty(place_.path() / "outside"));
  // Nor is what a link names overwritten, or given another mode.
  put_file(place_.path() / "victim", "precious");
  fs::create_symlink("../victim", root_ / "file");
  EXPECT_FALSE(creator.make_file("file", {.mode = 0777, .mtime = 0}, 0, {}));
  EXPECT_FALSE(creator.begin_file("file", 0));
  EXPECT_FALSE(creator.finish_file("file", {.mode = 0777, .mtime = 0}));
  EXPECT_FALSE(creator.finish_directory("link", {.mode = 0, .mtime = 0}));
  EXPECT_EQ(util::read_file(place_.path() / "victim").value(), "precious");
}

// As a hostile writer of the store would make it: the entries have passed no check.
TEST_F(Tree, AHostileManifestWritesNothingOutside) {
  fs::create_directory(place_.path() / "outside");
  const std::string target = (place_.path() / "outside").native();
  for (const std::string& path :
       std::vector<std::string>{"link/file", "../outside/file", target + "/file", "/hearth-was-here", ".."}) {
    SCOPED_TRACE(path);
    wipe(root_);
    fs::create_directory(root_);
    Manifest manifest;
    manifest.entries.add(
        {.path = path, .kind = EntryKind::file, .mode = 0644, .mtime = 0, .size = 0, .target = {}, .extents = {}});
    manifest.entries.add({.path = "link",
                          .kind = EntryKind::symlink,
                          .mode = 0,
                          .mtime = 0,
                          .size = 0,
                          .target = target,
                          .extents = {}});
    store::MemoryStore store;
    const Layout layout = Layout::of({"app", "stack", "amd64"}).value();
    const auto filled = fill({.store = store,
                              .layout = layout,
                              .manifest_name = {new_id(), ObjectKind::manifest, new_id(), 0},
                              .manifest = manifest,
                              .root = root_,
                              .owner = std::nullopt,
                              .threads = 1},
                             {});
    EXPECT_FALSE(filled.has_value());
    EXPECT_TRUE(fs::is_empty(place_.path() / "outside"));
  }
}

TEST_F(Tree, SetIdBitsNeverReachTheDisk) {
  Creator creator(Directories::open(root_).value(), std::nullopt);
  ASSERT_TRUE(creator.make_file("file", {.mode = 06755, .mtime = 0}, 0, {}).has_value());
  struct stat status{};
  ASSERT_EQ(::stat((root_ / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755);
}

TEST_F(Tree, AnAbandonedStagingDirectoryIsRemovedAndABusyOneIsNot) {
  const fs::path directory = place_.path() / "cache";
  const Staging busy = Staging::create(directory).value();
  const fs::path abandoned = place_.path() / ".cache.hearth-restore-abcdef";
  put_file(abandoned / "half", "x");
  const Staging mine = Staging::create(directory).value();
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(busy.path()));
  EXPECT_TRUE(fs::exists(mine.path()));
}

Index sample_index() {
  Index index;
  index.store = "memory://";
  index.head = "apps/a/cache/HEAD.s-amd64";
  index.epoch = new_id();
  index.generation = new_id();
  index.probe = 1234;
  index.directory = {1, 2, 3};
  index.damaged = {{index.epoch, ObjectKind::pack, new_id(), 3}};
  index.manifest = {std::byte{1}, std::byte{0}, std::byte{2}};
  index.files = {{}, {.device = 1, .inode = 2, .size = 3, .mtime = -4, .ctime = 5, .mode = 0100644}};
  return index;
}

TEST_F(Tree, TheIndexIsReadAsItWasWritten) {
  const Index index = sample_index();
  ASSERT_TRUE(write_index(place_.path() / "index", index).has_value());
  const std::optional<Index> read = read_index(place_.path() / "index");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->store, index.store);
  EXPECT_EQ(read->head, index.head);
  EXPECT_EQ(read->epoch, index.epoch);
  EXPECT_EQ(read->generation, index.generation);
  EXPECT_EQ(read->probe, index.probe);
  EXPECT_EQ(read->directory, index.directory);
  EXPECT_EQ(peek_directory(place_.path() / "index"), index.directory);
  EXPECT_EQ(read->damaged, index.damaged);
  EXPECT_EQ(read->files, index.files);
  EXPECT_EQ(read->manifest, index.manifest);
}

TEST_F(Tree, AnIndexThatCannotBeWrittenLeavesNothing) {
  fs::create_directories(place_.path() / "index/in-the-way");
  EXPECT_FALSE(write_index(place_.path() / "index", sample_index()));
  EXPECT_FALSE(fs::exists(place_.path() / "index.new"));
}

TEST_F(Tree, OfAnIndexThatIsNoneNoDirectoryIsPeekedAt) {
  const fs::path path = place_.path() / "index";
  EXPECT_FALSE(peek_directory(path));
  ASSERT_TRUE(util::write_file(path, "something else"));
  EXPECT_FALSE(peek_directory(path));
  Index index = sample_index();
  index.files.clear();
  index.manifest.clear();
  index.damaged.clear();
  ASSERT_TRUE(write_index(path, index));
  const std::string good = util::read_file(path).value();
  // What follows the directory is two empty lists, the manifest's length, and a digest.
  const std::size_t header = good.size() - 3 * sizeof(std::uint64_t) - 2 * sizeof(util::Digest);
  ASSERT_TRUE(util::write_file(path, good.substr(0, header)));
  EXPECT_EQ(peek_directory(path), index.directory);
  for (std::size_t bytes = 0; bytes < header; ++bytes) {
    ASSERT_TRUE(util::write_file(path, good.substr(0, bytes)));
    EXPECT_FALSE(peek_directory(path)) << bytes;
  }
}

TEST_F(Tree, WorkThatNobodyWantsIsStopped) {
  std::stop_source stop;
  std::atomic<bool> ended = false;
  const auto until_stopped = [&ended](const std::stop_token& token) {
    while (!token.stop_requested()) std::this_thread::yield();
    ended = true;
    return 5;
  };
  {
    const Ahead<int> unwanted(stop.get_token(), until_stopped);
  }
  EXPECT_TRUE(ended);
  Ahead<int> wanted(stop.get_token(), until_stopped);
  stop.request_stop();
  EXPECT_EQ(wanted.take(), 5);
}

TEST_F(Tree, ADamagedIndexIsNone) {
  const fs::path path = place_.path() / "index";
  ASSERT_TRUE(write_index(path, sample_index()).has_value());
  const std::string good = util::read_file(path).value();
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    ASSERT_TRUE(util::write_file(path, bad).has_value());
    EXPECT_FALSE(read_index(path).has_value()) << i;
    ASSERT_TRUE(util::write_file(path, good.substr(0, i)).has_value());
    EXPECT_FALSE(read_index(path).has_value()) << i;
  }
  EXPECT_FALSE(read_index(place_.path() / "none").has_value());
}

TEST_F(Tree, AProbeIsNotBeforeWhatWasWrittenBefore) {
  put_file(root_ / "file", "x");
  struct stat status{};
  ASSERT_EQ(::stat((root_ / "file").c_str(), &status), 0);
  const std::int64_t probe = take_probe(probe_path(root_), status.st_dev);
  EXPECT_GE(probe, file_status(status).ctime);
  EXPECT_FALSE(fs::exists(probe_path(root_)));
  put_file(root_ / "file", "y");
  ASSERT_EQ(::stat((root_ / "file").c_str(), &status), 0);
  EXPECT_GE(file_status(status).ctime, probe);
  // On another file system it would prove nothing.
  EXPECT_EQ(take_probe(probe_path(root_), status.st_dev + 1), kNothingProved);
  EXPECT_EQ(take_probe(place_.path() / "none/probe", status.st_dev), kNothingProved);
}

// Packs of 10 blocks of 1 MiB; `live` blocks of each are in use.
Manifest worn_manifest(const std::vector<int>& live) {
  Manifest manifest;
  for (std::uint32_t pack = 0; pack < live.size(); ++pack) {
    manifest.packs.push_back({new_id(), 0, 10 << 20});
    for (int i = 0; i < live[pack]; ++i) {
      const Extent extent{static_cast<std::uint32_t>(manifest.blocks.size()), 0, 1 << 20};
      manifest.blocks.push_back({.pack = pack,
                                 .offset = static_cast<std::uint64_t>(i) << 20,
                                 .stored_bytes = 1 << 20,
                                 .raw_bytes = 1 << 20,
                                 .digest = {},
                                 .encoding = Encoding::stored});
      const std::string path = fmt::format("{}-{}", pack, i);
      manifest.entries.add({.path = path,
                            .kind = EntryKind::file,
                            .mode = 0644,
                            .mtime = 0,
                            .size = 1 << 20,
                            .target = {},
                            .extents = std::span(&extent, 1)});
    }
  }
  return manifest;
}

TEST(Compaction, LeavesLivePacksAlone) {
  EXPECT_THAT(worn_packs(worn_manifest({10, 10, 10})), ElementsAre(false, false, false));
  EXPECT_THAT(worn_packs(worn_manifest({10, 9, 10})), ElementsAre(false, false, false));
}

TEST(Compaction, TakesTheDeadestFirst) {
  EXPECT_THAT(worn_packs(worn_manifest({10, 1, 9, 10})), ElementsAre(false, true, false, false));
  EXPECT_THAT(worn_packs(worn_manifest({10, 4, 2, 10})), ElementsAre(false, true, true, false));
}

TEST(Compaction, KeepsThePacksFew) {
  Manifest manifest = worn_manifest(std::vector<int>(9, 1));
  for (PackName& pack : manifest.packs) pack.bytes = 1 << 20;
  const std::vector<bool> worn = worn_packs(manifest);
  // A first save would make two; four are too many, and three will be left.
  EXPECT_EQ(std::ranges::count(worn, true), 7);
  manifest = worn_manifest(std::vector<int>(3, 1));
  for (PackName& pack : manifest.packs) pack.bytes = 1 << 20;
  EXPECT_EQ(std::ranges::count(worn_packs(manifest), true), 2);
}

}  // namespace
}  // namespace hearth::cache::testing
