#include "build/cache_archive.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <random>

#include "store/memory_store.h"
#include "support/faulty_store.h"
#include "util/file.h"

namespace hearth::build {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const cache::Name kName{"demo", "heroku-24", "amd64"};

class CacheArchive : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(tree() / "dir");
    put(tree() / "dir/file", "content\n");
    put(tree() / "large", noise());
    fs::create_symlink("dir/file", tree() / "link");
    fs::create_hard_link(tree() / "dir/file", tree() / "twin");
    const timespec times[2] = {{1'000'000'000, 123'456'789}, {1'000'000'000, 123'456'789}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (tree() / "large").c_str(), times, 0), 0);
    ASSERT_EQ(::utimensat(AT_FDCWD, tree().c_str(), times, 0), 0);
    ASSERT_EQ(cache::save(store_, kName, tree(), place_.path() / "index", {}, {}).outcome, cache::SaveOutcome::saved);
  }

  fs::path tree() const { return place_.path() / "tree"; }
  static void put(const fs::path& path, std::string_view content) {
    ASSERT_TRUE(util::write_file(path, content).has_value());
  }
  cache::Layout layout() const { return cache::Layout::of(kName).value(); }
  cache::OpenedGeneration opened() { return cache::open_generation(store_, layout(), "0", {}).value(); }
  Result<Exported> export_to(const fs::path& file) {
    return export_cache(store_, layout(), opened(), archive_format_of(file.native()).value(), file, {});
  }
  Result<Imported> import_from(const fs::path& file, const std::string& app = "other") {
    const util::Fd fd = util::open_file(file, O_RDONLY).value();
    return import_cache(store_, {app, "heroku-24", "amd64"}, fd, place_.path(), {}, {});
  }
  // Does not compress, so that it lies in a pack.
  static std::string noise() {
    std::mt19937 engine(1);
    std::string bytes(6'000'000, ' ');
    for (char& byte : bytes) byte = static_cast<char>(engine());
    return bytes;
  }
  // What is beside what the test made itself.
  std::size_t entries_of_place() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(place_.path()), fs::directory_iterator()));
  }

  util::TempDir place_ = util::TempDir::create(fs::temp_directory_path(), "hearth-archive-test-").value();
  store::MemoryStore memory_;
  support::FaultyStore store_{memory_};
};

TEST(ArchiveFormatOf, IsToldByTheName) {
  EXPECT_EQ(archive_format_of("a.tar"), ArchiveFormat::tar);
  EXPECT_EQ(archive_format_of("/b/a.tar.gz"), ArchiveFormat::tar_gz);
  EXPECT_EQ(archive_format_of("cache.tgz"), ArchiveFormat::tar_gz);
  EXPECT_EQ(archive_format_of("a.tar.zst"), ArchiveFormat::tar_zst);
  for (const char* other : {"", "a", "a.zip", "a.gz", "tar", "a.tar.xz", "a.tar/"}) {
    EXPECT_FALSE(archive_format_of(other).has_value()) << other;
  }
}

TEST_F(CacheArchive, AnotherTarReadsIt) {
  for (const char* name : {"a.tar", "a.tar.gz", "a.tar.zst"}) {
    const fs::path file = place_.path() / name;
    const Exported exported = export_to(file).value();
    EXPECT_EQ(exported.bytes, fs::file_size(file));
    EXPECT_EQ(exported.sha256, util::sha256(util::read_file(file).value()));
    const fs::path out = place_.path() / "out";
    fs::create_directory(out);
    ASSERT_EQ(std::system(fmt::format("tar -C {} -xf {}", out.native(), file.native()).c_str()), 0) << name;
    EXPECT_EQ(std::system(fmt::format("diff -r --no-dereference {} {}", tree().native(), out.native()).c_str()), 0);
    struct stat status{};
    ASSERT_EQ(::stat((out / "large").c_str(), &status), 0);
    EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000'000);
    EXPECT_EQ(status.st_mtim.tv_nsec, 123'456'789);
    ASSERT_EQ(::stat((out / "twin").c_str(), &status), 0);
    EXPECT_EQ(status.st_nlink, 2U);
    fs::remove_all(out);
  }
}

TEST_F(CacheArchive, IsTheSameEachTime) {
  for (const char* ending : {"tar", "tar.gz", "tar.zst"}) {
    const auto first = export_to(place_.path() / fmt::format("1.{}", ending)).value();
    const auto second = export_to(place_.path() / fmt::format("2.{}", ending)).value();
    EXPECT_EQ(first.sha256, second.sha256) << ending;
  }
}

TEST_F(CacheArchive, ComesBackAsTheSameTree) {
  for (const char* name : {"a.tar", "a.tar.gz", "a.tar.zst"}) {
    const fs::path file = place_.path() / name;
    ASSERT_TRUE(export_to(file).has_value());
    const std::size_t before = entries_of_place();
    // Into the cache that it came from: nothing has changed, the directory's own time included.
    EXPECT_EQ(import_from(file, "demo").value().save.outcome, cache::SaveOutcome::unchanged) << name;
    const Imported imported = import_from(file, name).value();
    EXPECT_EQ(imported.save.outcome, cache::SaveOutcome::saved);
    EXPECT_EQ(imported.save.entries, 5U);
    const cache::Layout other = cache::Layout::of({name, "heroku-24", "amd64"}).value();
    const cache::OpenedGeneration again = cache::open_generation(store_, other, "0", {}).value();
    EXPECT_EQ(cache::size_of(again.manifest), cache::size_of(opened().manifest));
    EXPECT_EQ(again.manifest.root_mtime, 1'000'000'000'123'456'789);
    EXPECT_EQ(entries_of_place(), before);
  }
}

TEST_F(CacheArchive, ADamagedCacheLeavesNoFile) {
  const fs::path file = place_.path() / "a.tar.gz";
  put(file, "what was there before");
  const cache::OpenedGeneration generation = opened();
  const std::size_t before = entries_of_place();
  ASSERT_FALSE(generation.manifest.packs.empty());
  const cache::PackName& pack = generation.manifest.packs.front();
  store_.hide(layout().key({generation.epoch, cache::ObjectKind::pack, pack.save, pack.number}));
  const Result<Exported> failed = export_cache(store_, layout(), generation, ArchiveFormat::tar_gz, file, {});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind, ErrorKind::corrupt);
  EXPECT_EQ(util::read_file(file).value(), "what was there before");
  EXPECT_EQ(entries_of_place(), before);
}

TEST_F(CacheArchive, WhatIsNoGoodArchiveChangesNothing) {
  const fs::path file = place_.path() / "a.tar.gz";
  ASSERT_TRUE(export_to(file).has_value());
  const std::string good = util::read_file(file).value();
  const fs::path bad = place_.path() / "bad";
  put(bad, std::string_view(good).substr(0, good.size() / 2));
  EXPECT_EQ(import_from(bad, "demo").error().kind, ErrorKind::corrupt);
  put(bad, "this is no archive at all");
  EXPECT_EQ(import_from(bad, "demo").error().kind, ErrorKind::invalid);
  ASSERT_EQ(std::system(fmt::format("cd {} && tar -cPf bad ../{}/tree/dir", place_.path().native(),
                                    place_.path().filename().native())
                            .c_str()),
            0);
  const Result<Imported> escaping = import_from(bad, "demo");
  ASSERT_FALSE(escaping.has_value());
  EXPECT_EQ(escaping.error().kind, ErrorKind::invalid);
  EXPECT_THAT(escaping.error().message, HasSubstr(".."));
  EXPECT_EQ(cache::read_usable_head(store_, layout(), {}).value().seen.head.generations.size(), 1U);
}

TEST_F(CacheArchive, AFullOrClosedOutputIsAnError) {
  const util::Fd full = util::open_file("/dev/full", O_WRONLY).value();
  for (const ArchiveFormat format : {ArchiveFormat::tar, ArchiveFormat::tar_gz, ArchiveFormat::tar_zst}) {
    const Result<Exported> failed = export_cache(store_, layout(), opened(), format, full, {});
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().kind, ErrorKind::io);
  }
  EXPECT_FALSE(export_to(place_.path() / "absent" / "a.tar").has_value());
}

}  // namespace
}  // namespace hearth::build
