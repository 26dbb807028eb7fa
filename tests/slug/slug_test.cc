#include "slug/slug.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <random>
#include <thread>

#include "util/file.h"
#include "util/unpack.h"

namespace hearth::slug {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Path → everything about it that a slug keeps.
using Picture = std::map<std::string, std::string>;

Picture picture_of(const fs::path& root) {
  Picture picture;
  std::map<ino_t, std::string> first_names;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0);
    const std::string name = path.lexically_relative(root).native();
    std::string what = fmt::format("{:o} {}", status.st_mode, status.st_mtim.tv_sec);
    if (S_ISLNK(status.st_mode)) what += " -> " + fs::read_symlink(path).native();
    if (S_ISREG(status.st_mode)) {
      what += " " + util::read_file(path).value();
      const auto first = first_names.try_emplace(status.st_ino, name).first;
      if (status.st_nlink > 1) what += " = " + first->second;
    }
    picture[name] = what;
  }
  return picture;
}

class SlugTest : public testing::Test {
 protected:
  fs::path app() const { return temp_.path() / "app"; }
  fs::path file() const { return temp_.path() / "slug.tgz"; }

  void SetUp() override { ASSERT_TRUE(util::make_directories(app())); }

  void put(const std::string& name, std::string_view content, mode_t mode = 0644) {
    ASSERT_TRUE(util::make_directories((app() / name).parent_path()));
    ASSERT_TRUE(util::write_file(app() / name, content));
    ASSERT_EQ(::chmod((app() / name).c_str(), mode), 0);
  }

  static void set_times(const fs::path& root, time_t time) {
    std::vector<fs::path> paths = {root};
    for (const auto& entry : fs::recursive_directory_iterator(root)) paths.push_back(entry.path());
    for (const fs::path& path : paths) {
      const timespec times[2] = {{.tv_sec = time, .tv_nsec = 0}, {.tv_sec = time, .tv_nsec = 0}};
      ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
    }
  }

  Slug write_slug(const Options& options = {}) {
    Result<Slug> slug = write(app(), file(), options, {});
    EXPECT_TRUE(slug) << slug.error().message;
    return slug.value_or(Slug{});
  }

  std::string written() { return util::read_file(file()).value_or(""); }

  fs::path unpacked() {
    const fs::path out = temp_.path() / "out";
    EXPECT_TRUE(util::remove_tree(out));
    EXPECT_TRUE(util::make_directories(out));
    const Result<util::Unpacked> result = util::unpack(util::open_file(file(), O_RDONLY).value(), out, {}, {});
    EXPECT_TRUE(result) << result.error().message;
    return out;
  }

  // Standard output of a shell command; $SLUG is the slug's file, $OUT an empty directory.
  std::string shell(const std::string& command) {
    const fs::path out = temp_.path() / "shell";
    EXPECT_TRUE(util::remove_tree(out));
    EXPECT_TRUE(util::make_directories(out));
    const std::string whole =
        fmt::format("export LC_ALL=C.UTF-8 SLUG={} OUT={}\n{}", file().native(), out.native(), command);
    FILE* pipe = ::popen(whole.c_str(), "r");
    std::string output(1 << 20, '\0');
    output.resize(::fread(output.data(), 1, output.size(), pipe));
    EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
    return output;
  }

  util::TempDir temp_ = util::TempDir::create(fs::temp_directory_path(), "hearth-slug-").value();
};

TEST_F(SlugTest, same_tree_same_bytes_whatever_order_and_threads) {
  const std::vector<std::string> names = {"a/x", "a-b", "a/sub/y", "b", "Z", "a.c"};
  std::mt19937 random(1);
  std::string noise(3 << 20, '\0');
  for (char& c : noise) c = static_cast<char>(random() % 7);
  std::vector<std::string> results;
  for (const bool reversed : {false, true}) {
    ASSERT_TRUE(util::remove_tree(app()));
    std::vector<std::string> order = names;
    if (reversed) std::ranges::reverse(order);
    for (const std::string& name : order) put(name, noise + name);
    fs::create_hard_link(app() / (reversed ? "b" : "a/x"), app() / "link");
    ASSERT_TRUE(util::remove_tree(app() / "link"));
    set_times(app(), 1'600'000'000);
    for (const unsigned threads : {1U, 2U, 5U, 0U}) {
      const Slug slug = write_slug({.compression_level = 1, .threads = threads});
      results.push_back(written());
      EXPECT_EQ(slug.bytes, results.back().size());
      EXPECT_EQ(slug.files, 8U);
      EXPECT_EQ(slug.sha256, util::sha256(results.back()));
    }
  }
  for (const std::string& result : results) EXPECT_EQ(result, results.front());
}

TEST_F(SlugTest, a_link_in_the_place_of_the_app_is_not_followed) {
  put("secret", "s");
  fs::create_directory_symlink(app(), temp_.path() / "link");
  EXPECT_FALSE(slug::write(temp_.path() / "link", file(), {}, {}));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(SlugTest, names_are_sorted_bytewise) {
  for (const std::string name : {"a/x", "a-b", "a.c", "B", "a0"}) put(name, "");
  write_slug();
  EXPECT_EQ(shell("tar -tzf $SLUG"), "./B\n./a-b\n./a.c\n./a/\n./a/x\n./a0\n");
}

TEST_F(SlugTest, keeps_what_an_app_needs_and_nothing_else) {
  put("bin/tool", "#!", 06755);
  put("secret", "s", 0600);
  put(".git/config", "[core]");
  put("sub/.git/config", "kept");
  put("big", std::string(3'000'000, 'x'));
  fs::create_hard_link(app() / "secret", app() / "again");
  fs::create_symlink("/nowhere", app() / "dangling");
  fs::create_symlink("bin", app() / "to-bin");
  fs::create_directory(app() / "empty");
  ASSERT_EQ(::mkfifo((app() / "fifo").c_str(), 0644), 0);
  ASSERT_EQ(::chmod((app() / "empty").c_str(), 02555), 0);
  set_times(app(), 1'500'000'000);
  Picture expected = picture_of(app());
  expected.erase("fifo");
  std::erase_if(expected, [](const auto& entry) { return entry.first == ".git" || entry.first.starts_with(".git/"); });
  expected["bin/tool"] = "100755 1500000000 #!";
  expected["empty"] = "40555 1500000000";
  const Slug slug = write_slug();
  EXPECT_EQ(slug.files, expected.size());
  EXPECT_EQ(picture_of(unpacked()), expected);
}

TEST_F(SlugTest, tar_and_python_read_odd_names) {
  const std::string latin = "caf\xe9";
  const std::string deep = std::string(150, 'd') + "/" + std::string(149, 'e');
  const std::vector<std::string> names = {
      latin,  std::string(98, 'x'),          std::string(99, 'y'), std::string(200, 'n'),
      deep,   latin + std::string(120, 'l'), "with\nnewline",      "e\xcc\x81",
      "-dash"};
  for (const std::string& name : names) put(name, name);
  fs::create_symlink(std::string(101, 't'), app() / "long-target");
  fs::create_hard_link(app() / deep, app() / "zlink");
  set_times(app(), 1'500'000'000);
  write_slug();
  const Picture expected = picture_of(app());
  EXPECT_EQ(picture_of(unpacked()), expected);
  EXPECT_EQ(shell("tar -xzf $SLUG -C $OUT 2>&1"), "");
  EXPECT_EQ(picture_of(temp_.path() / "shell"), expected);
  EXPECT_EQ(shell("python3 -c 'import os,tarfile; tarfile.open(os.environ[\"SLUG\"]).extractall(os.environ[\"OUT\"])'"),
            "");
  Picture by_python = picture_of(temp_.path() / "shell");
  EXPECT_THAT(by_python["long-target"], HasSubstr(" -> " + std::string(101, 't')));
  by_python["long-target"] = expected.at("long-target");  // Python does not set the time of a symbolic link
  EXPECT_EQ(by_python, expected);
  shell("gzip -t $SLUG");
}

TEST_F(SlugTest, odd_numbers_survive) {
  put("old", "1");
  put("far", "2");
  const timespec old[2] = {{.tv_sec = -86400, .tv_nsec = 5}, {.tv_sec = -86400, .tv_nsec = 5}};
  const timespec far[2] = {{.tv_sec = std::int64_t{1} << 33, .tv_nsec = 0},
                           {.tv_sec = std::int64_t{1} << 33, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (app() / "old").c_str(), old, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, (app() / "far").c_str(), far, 0), 0);
  write_slug({.owner = 3'000'000});
  EXPECT_EQ(picture_of(unpacked()), picture_of(app()));
  EXPECT_THAT(shell("tar --numeric-owner -tvzf $SLUG"), HasSubstr("3000000/3000000"));
}

TEST_F(SlugTest, the_holes_of_a_sparse_file_are_zeros) {
  put("sparse", "begin");
  ASSERT_EQ(::truncate((app() / "sparse").c_str(), 64 << 20), 0);
  const Slug slug = write_slug({.compression_level = 1});
  EXPECT_LT(slug.bytes, 2U << 20);
  EXPECT_EQ(shell("tar -xzOf $SLUG ./sparse | wc -c"), fmt::format("{}\n", 64 << 20));
}

TEST_F(SlugTest, an_empty_app_is_an_empty_tar) {
  EXPECT_EQ(write_slug().files, 0U);
  EXPECT_EQ(shell("tar -tzf $SLUG"), "");
}

// A random tree: whatever it is, it comes back.
void grow(const fs::path& directory, std::mt19937& random, int depth) {
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  std::vector<fs::path> files;
  for (unsigned i = 0; i < 2 + pick(6); ++i) {
    std::string name(1 + pick(pick(4) == 0 ? 250 : 12), 'a');
    for (char& c : name) {
      do c = static_cast<char>(1 + pick(255));
      while (c == '/');
    }
    const fs::path path = directory / name;
    if (name == "." || name == ".." || name == ".git" || fs::exists(fs::symlink_status(path))) continue;
    const unsigned kind = pick(10);
    if (kind < 2 && depth > 0) {
      fs::create_directory(path);
      grow(path, random, depth - 1);
    } else if (kind == 2) {
      fs::create_symlink(std::string(1 + pick(300), 't'), path);
    } else if (kind == 3 && !files.empty()) {
      fs::create_hard_link(files[pick(static_cast<unsigned>(files.size()))], path);
    } else {
      std::string content(pick(3) == 0 ? pick(200'000) : 512 * pick(3), '\0');
      for (char& c : content) c = static_cast<char>(pick(4));
      ASSERT_TRUE(util::write_file(path, content));
      fs::permissions(path, static_cast<fs::perms>(pick(8) * 64 + pick(8) * 8 + 0400));
      files.push_back(path);
    }
    const auto time = static_cast<time_t>(random());
    const timespec times[2] = {{.tv_sec = time, .tv_nsec = 0}, {.tv_sec = time, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
}

TEST_F(SlugTest, any_tree_comes_back) {
  for (unsigned seed = 0; seed < 25; ++seed) {
    ASSERT_TRUE(util::remove_tree(app()));
    ASSERT_TRUE(util::make_directories(app()));
    std::mt19937 random(seed);
    grow(app(), random, 3);
    const Slug slug = write_slug({.compression_level = 1, .threads = 2});
    const Picture expected = picture_of(app());
    EXPECT_EQ(slug.files, expected.size());
    ASSERT_EQ(picture_of(unpacked()), expected) << "seed " << seed;
  }
}

TEST_F(SlugTest, a_tree_that_changes_meanwhile_is_an_error_that_names_the_path) {
  // Larger than all that is in flight at once, so that the change is seen for certain.
  put("a", std::string(1 << 20, 'x'));
  put("z", "small");
  ASSERT_EQ(::truncate((app() / "a").c_str(), off_t{64} << 20), 0);
  std::atomic<bool> ended = false;
  std::jthread writer([&] {
    std::ofstream out(app() / "a", std::ios::app);
    while (!ended) out << "more" << std::flush;
  });
  const Result<Slug> slug = write(app(), file(), {.compression_level = 1}, {});
  ended = true;
  ASSERT_FALSE(slug);
  EXPECT_THAT(slug.error().message, HasSubstr("a changed while"));
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(SlugTest, a_stop_ends_it_and_leaves_no_file) {
  put("a", "x");
  std::stop_source source;
  source.request_stop();
  const Result<Slug> slug = write(app(), file(), {}, source.get_token());
  ASSERT_FALSE(slug);
  EXPECT_EQ(slug.error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(SlugTest, a_full_disk_is_said) {
  put("a", std::string(1 << 20, 'x'));
  fs::create_symlink("/dev/full", file());  // a link, because a file that could not be written is removed
  const Result<Slug> slug = write(app(), file(), {}, {});
  ASSERT_FALSE(slug);
  EXPECT_THAT(slug.error().message, HasSubstr("No space left"));
}

TEST_F(SlugTest, no_such_app_is_not_found) {
  const Result<Slug> slug = write(temp_.path() / "absent", file(), {}, {});
  ASSERT_FALSE(slug);
  EXPECT_EQ(slug.error().kind, ErrorKind::not_found);
}

TEST_F(SlugTest, every_truncation_of_a_slug_is_noticed) {
  put("a", "content");
  put("d/e", std::string(2000, 'e'));
  write_slug();
  const std::string whole = written();
  const fs::path out = temp_.path() / "out";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_TRUE(util::write_file(file(), std::string_view(whole).substr(0, length)));
    ASSERT_TRUE(util::remove_tree(out));
    ASSERT_TRUE(util::make_directories(out));
    EXPECT_FALSE(util::unpack(util::open_file(file(), O_RDONLY).value(), out, {}, {})) << length;
  }
}

TEST_F(SlugTest, names_the_largest_directories) {
  put("top", std::string(9000, 'x'));
  put("a/x", std::string(100, 'x'));
  put("a/b/c/d", std::string(1000, 'x'));
  put("node_modules/m/y", std::string(5000, 'x'));
  put(".git/pack", std::string(8000, 'x'));
  fs::create_hard_link(app() / "node_modules/m/y", app() / "node_modules/m/z");
  fs::create_symlink("/usr", app() / "usr");
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {
      {"node_modules", 5000}, {"node_modules/m", 5000}, {"a", 1100}};
  EXPECT_EQ(largest_directories(app(), 3), expected);
  EXPECT_EQ(largest_directories(app(), 9).size(), 4U);
  EXPECT_TRUE(largest_directories(app() / "absent", 3).empty());
}

}  // namespace
}  // namespace hearth::slug
