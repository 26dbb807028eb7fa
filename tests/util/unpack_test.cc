#include "util/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "util/file.h"
#include "util/rooted_tree.h"

namespace hearth::util {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// What the Python snippets below start from: `tar` is an open TarFile, `add(name, content, **fields)` adds an entry.
constexpr std::string_view kPrelude = R"(
import io, sys, tarfile
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
mode, form = sys.argv[2], FORMATS[sys.argv[3]]
tar = tarfile.open(sys.argv[1], mode, format=form, errors="surrogateescape")
def add(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o644, 1000000000
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))
DIR, LINK, SYM, FIFO, CHR = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE
)";

class UnpackTest : public testing::Test {
 protected:
  fs::path archive() const { return temp_.path() / "archive"; }
  fs::path out() const { return temp_.path() / "out"; }

  void make_tar(std::string_view body, const std::string& mode = "w", const std::string& format = "pax") {
    const fs::path script = temp_.path() / "make.py";
    ASSERT_TRUE(write_file(script, std::string(kPrelude) + std::string(body) + "\ntar.close()\n"));
    const std::string command = fmt::format("python3 {} {} '{}' {}", script.native(), archive().native(), mode, format);
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  Result<Unpacked> unpack_it(const UnpackOptions& options = {}) {
    EXPECT_TRUE(remove_tree(out()));
    EXPECT_TRUE(make_directories(out()));
    const Fd fd(::open(archive().c_str(), O_RDONLY | O_CLOEXEC));
    return unpack(fd, out(), options, {});
  }

  Error failure(const UnpackOptions& options = {}) {
    const Result<Unpacked> result = unpack_it(options);
    return result ? Error{ErrorKind::io, "it was accepted"} : result.error();
  }

  Error refusal(std::string_view body, const UnpackOptions& options = {}) {
    make_tar(body);
    return failure(options);
  }

  std::string content(const std::string& name) const { return read_file(out() / name).value_or("(absent)"); }

  struct stat status(const std::string& name) const {
    struct stat status{};
    EXPECT_EQ(::lstat((out() / name).c_str(), &status), 0) << name;
    return status;
  }

  TempDir temp_ = TempDir::create(fs::temp_directory_path(), "hearth-unpack-").value();
};

TEST_F(UnpackTest, reads_every_compression) {
  for (const std::string mode : {"w", "w:gz", "w:xz", "w:bz2"}) {
    make_tar("add('a/b', b'hello' * 1000)", mode);
    const Result<Unpacked> result = unpack_it();
    ASSERT_TRUE(result) << mode << ": " << result.error().message;
    EXPECT_EQ(result->entries, 1U);
    EXPECT_EQ(result->bytes, 5000U);
    EXPECT_EQ(content("a/b").size(), 5000U);
  }
  make_tar("add('a/b', b'zstd')");
  ASSERT_EQ(std::system(fmt::format("zstd -q --rm -f {0} && mv {0}.zst {0}", archive().native()).c_str()), 0);
  ASSERT_TRUE(unpack_it());
  EXPECT_EQ(content("a/b"), "zstd");
}

TEST_F(UnpackTest, reads_from_a_pipe) {
  make_tar("add('a', b'x' * 300000)", "w:gz");
  ASSERT_TRUE(make_directories(out()));
  FILE* pipe = ::popen(fmt::format("cat {}", archive().native()).c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  const Fd fd(::dup(::fileno(pipe)));
  EXPECT_TRUE(unpack(fd, out(), {}, {}));
  ::pclose(pipe);
  EXPECT_EQ(content("a").size(), 300000U);
}

TEST_F(UnpackTest, waiting_for_a_pipe_ends_with_the_token) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd read_end(ends[0]);
  const Fd write_end(ends[1]);
  ASSERT_TRUE(make_directories(out()));
  std::stop_source source;
  source.request_stop();
  const Result<Unpacked> result = unpack(read_end, out(), {}, source.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
}

TEST_F(UnpackTest, keeps_modes_and_times_but_no_set_id_bits) {
  make_tar(R"(
add('x', b'1', mode=0o6755, pax_headers={'mtime': '1234567890.123456789'})
add('d', type=DIR, mode=0o555, mtime=1111111111)
add('d/inside', b'2', mode=0o400)
add('old', b'', mtime=-5)
)");
  const Result<Unpacked> result = unpack_it();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(status("x").st_mode & 07777, 0755U);
  EXPECT_EQ(status("x").st_mtim.tv_sec, 1234567890);
  EXPECT_EQ(status("x").st_mtim.tv_nsec, 123456789);
  EXPECT_EQ(status("d").st_mode & 07777, 0555U);
  EXPECT_EQ(status("d").st_mtim.tv_sec, 1111111111);
  EXPECT_EQ(status("d/inside").st_mode & 07777, 0400U);
  EXPECT_EQ(status("old").st_mtim.tv_sec, -5);
}

TEST_F(UnpackTest, tells_what_the_archive_says_of_the_top) {
  make_tar("add('./', type=DIR, mode=0o3750, mtime=1234567890.25)\nadd('./f', b'x')");
  const Result<Unpacked> unpacked = unpack_it();
  ASSERT_TRUE(unpacked && unpacked->top && unpacked->top->mtime);
  EXPECT_EQ(unpacked->top->mode, 01750U);
  EXPECT_EQ(unpacked->top->mtime->tv_sec, 1234567890);
  EXPECT_EQ(unpacked->top->mtime->tv_nsec, 250'000'000);
  EXPECT_EQ(unpacked->entries, 1U);
  make_tar("add('f', b'x')");
  EXPECT_FALSE(unpack_it().value().top.has_value());
}

TEST_F(UnpackTest, mtimes_can_be_now) {
  make_tar("add('d', type=DIR)\nadd('d/f', b'x')\nadd('s', type=SYM, linkname='d')");
  UnpackOptions options;
  options.mtimes = Mtimes::now;
  const time_t before = ::time(nullptr) - 2;
  ASSERT_TRUE(unpack_it(options));
  for (const std::string name : {"d", "d/f", "s"}) EXPECT_GE(status(name).st_mtim.tv_sec, before) << name;
}

TEST_F(UnpackTest, keeps_links_that_point_elsewhere) {
  make_tar(R"(
add('abs', type=SYM, linkname='/etc/passwd')
add('up', type=SYM, linkname='../../nowhere')
add('f', b'content')
add('hard', type=LINK, linkname='./f')
add('hard-to-link', type=LINK, linkname='abs')
)");
  const Result<Unpacked> result = unpack_it();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(fs::read_symlink(out() / "abs"), "/etc/passwd");
  EXPECT_EQ(fs::read_symlink(out() / "up"), "../../nowhere");
  EXPECT_EQ(status("f").st_ino, status("hard").st_ino);
  EXPECT_EQ(fs::read_symlink(out() / "hard-to-link"), "/etc/passwd");
}

TEST_F(UnpackTest, names_are_bytes) {
  for (const std::string format : {"pax", "gnu"}) {
    make_tar(R"(
add(b'caf\xe9'.decode('utf-8', 'surrogateescape'), b'latin')
add('e\u0301', b'decomposed')
add('\u00e9', b'composed')
add('n' * 200, b'200')
add('d' * 150 + '/' + 'n' * 150, b'301')
)",
             "w", format);
    const Result<Unpacked> result = unpack_it();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(content("caf\xe9"), "latin");
    EXPECT_EQ(content("e\xcc\x81"), "decomposed");
    EXPECT_EQ(content("\xc3\xa9"), "composed");
    EXPECT_EQ(content(std::string(200, 'n')), "200");
    EXPECT_EQ(content(std::string(150, 'd') + "/" + std::string(150, 'n')), "301");
  }
}

TEST_F(UnpackTest, refuses_paths_that_leave) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"add('/etc/x', b'')", "absolute"},
      {"add('a/../../x', b'')", "\"..\""},
      {"add('..', type=DIR)", "\"..\""},
      {"add('l', type=LINK, linkname='/etc/passwd')", "absolute"},
      {"add('l', type=LINK, linkname='../x')", "\"..\""},
      {"add('l', type=LINK, linkname='absent')", "not there"},
      {"add('s', type=SYM, linkname='/etc')\nadd('l', type=LINK, linkname='s/passwd')", "goes through s"},
      {"add('s', type=SYM, linkname='.')\nadd('s/x', b'')", "goes through s"},
      {"add('s', type=SYM, linkname='/tmp')\nadd('s/d', type=DIR)", "goes through s"},
      {"add('d/s', type=SYM, linkname='/tmp')\nadd('d/s/x/y', type=SYM, linkname='z')", "goes through d/s"},
      {"add('f', b'')\nadd('f/x', b'')", "goes through f"},
      {"add('dev', type=CHR)", "device"},
      {"add('d', type=DIR)\nadd('l', type=LINK, linkname='d')", "directory"},
      {"add('d/f', b'')\nadd('d', b'')", "not empty"},
      {"add('.', b'x')", "whole tree"},
      {"add('s', type=SYM, linkname='')", "symbolic link"},
      {"add('n' * 256, b'')", "longer than 255"},
      {"add('d/' * 2500 + 'f', b'')", "longer than 4096"},
  };
  for (const auto& [body, expected] : cases) {
    const Error error = refusal(body);
    EXPECT_EQ(error.kind, ErrorKind::invalid) << body << ": " << error.message;
    EXPECT_THAT(error.message, HasSubstr(expected)) << body;
  }
}

TEST_F(UnpackTest, a_link_is_replaced_and_never_written_through) {
  const fs::path victim = temp_.path() / "victim";
  ASSERT_TRUE(write_file(victim, "safe"));
  make_tar(fmt::format(R"(
add('s', type=SYM, linkname='{0}')
add('s', b'overwritten')
add('t', type=SYM, linkname='{0}')
add('t', type=DIR)
add('a', b'first')
add('b', type=LINK, linkname='a')
add('b', b'second')
)",
                       victim.native()));
  const Result<Unpacked> result = unpack_it();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(read_file(victim).value(), "safe");
  EXPECT_EQ(content("s"), "overwritten");
  EXPECT_TRUE(S_ISDIR(status("t").st_mode));
  EXPECT_EQ(content("a"), "first");
  EXPECT_EQ(content("b"), "second");
}

TEST_F(UnpackTest, of_duplicates_the_later_wins) {
  make_tar(R"(
add('f', b'one'); add('f', b'two', mode=0o600)
add('d', type=DIR, mode=0o500); add('d/x', b''); add('d', type=DIR, mode=0o711)
add('e', type=DIR, mode=0o500); add('e', b'now a file')
add('g', b'file'); add('g', type=LINK, linkname='g')
)");
  const Result<Unpacked> result = unpack_it();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(content("f"), "two");
  EXPECT_EQ(status("f").st_mode & 07777, 0600U);
  EXPECT_EQ(status("d").st_mode & 07777, 0711U);
  EXPECT_EQ(content("e"), "now a file");
  EXPECT_EQ(content("g"), "file");
}

TEST_F(UnpackTest, counts_what_it_writes) {
  UnpackOptions options;
  options.limits = {.entries = 3, .bytes = 1000};
  EXPECT_THAT(refusal("for i in range(4): add(str(i), b'')", options).message, HasSubstr("more than 3 entries"));
  EXPECT_THAT(refusal("add('a', b'x' * 600)\nadd('b', b'x' * 401)", options).message, HasSubstr("more than 1 kB"));
  make_tar("add('a', b'x' * 600)\nadd('b', b'x' * 400)\nadd('c', b'')");
  EXPECT_TRUE(unpack_it(options));
}

TEST_F(UnpackTest, counts_the_directories_on_the_way) {
  UnpackOptions options;
  options.limits.entries = 11;
  make_tar("add('a/b/c/d/e/f/g/h/i/j/file', b'')");
  ASSERT_TRUE(unpack_it(options));
  EXPECT_EQ(status("a/b").st_mode & 07777, 0755U);
  options.limits.entries = 10;
  EXPECT_THAT(failure(options).message, HasSubstr("more than 10 entries"));
  // Small as an archive, and two million directories.
  EXPECT_THAT(refusal("for i in range(1000): add(str(i) + '/a' * 1000, b'')", options).message,
              HasSubstr("more than 10 entries"));
}

TEST_F(UnpackTest, the_paths_of_directories_are_bounded) {
  UnpackOptions options;
  options.limits.directory_paths = 10;
  make_tar("add('12345', type=DIR)\nadd('67890', type=DIR)\nadd('and-a-file', b'')");
  EXPECT_TRUE(unpack_it(options));
  EXPECT_THAT(refusal("add('12345', type=DIR)\nadd('678901', type=DIR)", options).message, HasSubstr("more than 10 B"));
}

TEST_F(UnpackTest, the_token_ends_the_setting_of_modes) {
  ASSERT_TRUE(make_directories(out()));
  RootedTree tree = RootedTree::open(out(), std::nullopt).value();
  ASSERT_TRUE(tree.make_directory("d", 0500, std::nullopt));
  std::stop_source source;
  source.request_stop();
  const Result<void> finished = tree.finish(source.get_token());
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().kind, ErrorKind::cancelled);
}

TEST_F(UnpackTest, refuses_bombs) {
  UnpackOptions options;
  options.limits = {.entries = 10, .bytes = 1000};
  // Small when compressed, far beyond the limit when read: behind the end of the archive, and in what is left out.
  make_tar("add('a', b'x')\ntar.fileobj.write(bytes(1 << 24))", "w:gz");
  EXPECT_EQ(failure(options).kind, ErrorKind::invalid);
  make_tar("add('skip', bytes(1 << 24))", "w:gz");
  options.leave_out = [](std::string_view path) { return path == "skip"; };
  EXPECT_EQ(failure(options).kind, ErrorKind::invalid);
}

TEST_F(UnpackTest, a_sparse_bomb_counts_with_its_holes) {
  const fs::path sparse = temp_.path() / "sparse";
  ASSERT_TRUE(write_file(sparse, ""));
  ASSERT_EQ(::truncate(sparse.c_str(), off_t{1} << 40), 0);
  ASSERT_EQ(
      std::system(fmt::format("tar -C {} --sparse -cf {} sparse", temp_.path().native(), archive().native()).c_str()),
      0);
  EXPECT_THAT(failure().message, HasSubstr("more than"));
}

TEST_F(UnpackTest, sparse_files_stay_sparse) {
  const fs::path sparse = temp_.path() / "sparse";
  ASSERT_TRUE(write_file(sparse, "begin"));
  ASSERT_EQ(::truncate(sparse.c_str(), 50 << 20), 0);
  for (const std::string format : {"gnu", "pax"}) {
    const std::string command =
        fmt::format("tar -C {} --format={} --sparse -cf {} sparse", temp_.path().native(), format, archive().native());
    ASSERT_EQ(std::system(command.c_str()), 0);
    ASSERT_TRUE(unpack_it());
    EXPECT_EQ(status("sparse").st_size, 50 << 20);
    EXPECT_LT(status("sparse").st_blocks * 512, 1 << 20);
    EXPECT_EQ(content("sparse").substr(0, 6), std::string("begin\0", 6));
  }
}

TEST_F(UnpackTest, a_sole_top_folder_can_be_stripped) {
  UnpackOptions options;
  options.top_folder = TopFolder::strip_if_sole;
  make_tar(R"(
add('top', type=DIR, mode=0o555)
add('top/top', b'same name')
add('top/ro', type=DIR, mode=0o555)
add('top/ro/f', b'x', mtime=5)
add('top/implicit/g', b'y')
)");
  const Result<Unpacked> result = unpack_it(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(content("top"), "same name");
  EXPECT_EQ(status("ro").st_mode & 07777, 0555U);
  EXPECT_EQ(status("ro").st_mtim.tv_sec, 1000000000);
  EXPECT_EQ(content("implicit/g"), "y");
  EXPECT_EQ(std::distance(fs::directory_iterator(out()), fs::directory_iterator()), 3);
  for (const std::string body : {"add('a/x', b'1')\nadd('b', b'2')", "add('a', b'1')", ""}) {
    make_tar(body);
    ASSERT_TRUE(unpack_it(options)) << body;
    EXPECT_EQ(fs::exists(out() / "a"), !body.empty()) << body;
  }
}

TEST_F(UnpackTest, leaves_out_a_directory_with_everything_below) {
  make_tar("add('./.git/config', b'1')\nadd('./.gitignore', b'2')\nadd('sub/.git/x', b'3')\nadd('p', type=FIFO)");
  UnpackOptions options;
  options.leave_out = [](std::string_view path) { return path == ".git"; };
  const Result<Unpacked> result = unpack_it(options);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->entries, 2U);
  EXPECT_FALSE(fs::exists(out() / ".git"));
  EXPECT_FALSE(fs::exists(out() / "p"));
  EXPECT_EQ(content(".gitignore"), "2");
  EXPECT_EQ(content("sub/.git/x"), "3");
}

TEST_F(UnpackTest, everything_gets_the_owner) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving files away needs root";
  make_tar(
      "add('d/e/f', b'1')\nadd('s', type=SYM, linkname='d')\nadd('x', type=DIR)\nadd('h', type=LINK, linkname='s')");
  UnpackOptions options;
  options.owner = 12345;
  ASSERT_TRUE(unpack_it(options));
  for (const std::string name : {"d", "d/e", "d/e/f", "s", "x", "h"}) {
    EXPECT_EQ(status(name).st_uid, 12345U) << name;
    EXPECT_EQ(status(name).st_gid, 12345U) << name;
  }
}

TEST_F(UnpackTest, an_empty_tar_is_an_empty_tree) {
  make_tar("");
  const Result<Unpacked> result = unpack_it();
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->entries, 0U);
}

TEST_F(UnpackTest, says_what_was_expected_instead_of_no_tar) {
  for (const std::string& text :
       {std::string(), std::string("hello\n"), std::string(5000, 'x'), std::string("PK\3\4zip")}) {
    ASSERT_TRUE(write_file(archive(), text));
    const Result<Unpacked> result = unpack_it();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::invalid);
    EXPECT_THAT(result.error().message, HasSubstr("expected a tar"));
  }
}

constexpr std::string_view kSmallTree = R"(
add('a', b'x' * 700)
add('d', type=DIR)
add('d/s', type=SYM, linkname='../a')
add('zeros', bytes(1024))
add('h', type=LINK, linkname='a')
)";

// Either an error, or everything is there.
void expect_error_or_whole(const Result<Unpacked>& result, const std::string& what) {
  if (result) {
    EXPECT_EQ(result->entries, 5U) << what;
    EXPECT_EQ(result->bytes, 1724U) << what;
  } else {
    EXPECT_TRUE(result.error().kind == ErrorKind::corrupt || result.error().kind == ErrorKind::invalid)
        << what << ": " << result.error().message;
  }
}

TEST_F(UnpackTest, truncated_at_any_length_is_an_error_or_whole) {
  for (const auto& [mode, step] :
       std::vector<std::pair<std::string, std::size_t>>{{"w", 64}, {"w:gz", 1}, {"w:bz2", 1}}) {
    make_tar(kSmallTree, mode, "gnu");
    const std::string whole = read_file(archive()).value();
    for (std::size_t length = 0; length < whole.size(); length += step) {
      ASSERT_TRUE(write_file(archive(), std::string_view(whole).substr(0, length)));
      const Result<Unpacked> result = unpack_it();
      expect_error_or_whole(result, fmt::format("{} at {}", mode, length));
      EXPECT_TRUE(!result || mode == "w") << mode << " at " << length;
    }
  }
}

TEST_F(UnpackTest, a_flipped_bit_in_compressed_data_is_noticed) {
  make_tar(kSmallTree, "w:gz", "gnu");
  const std::string whole = read_file(archive()).value();
  constexpr std::size_t kGzipHeader = 10;  // its time and flags are not covered by the checksum
  for (std::size_t at = kGzipHeader; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    ASSERT_TRUE(write_file(archive(), flipped));
    const Result<Unpacked> result = unpack_it();
    // The name of the file inside may change without harm, and so may the bits that fill up the last deflate byte.
    const bool harmless = at <= kGzipHeader + std::string_view("archive").size() || at + 9 == whole.size();
    EXPECT_TRUE(!result || harmless) << at << " of " << whole.size();
  }
}

}  // namespace
}  // namespace hearth::util
