// An archive that somebody else made, unpacked: nothing outside of the directory changes.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "util/unpack.h"

namespace hearth::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr util::UnpackLimits kLimits{.entries = 40, .bytes = 1 << 20};

// A folder with the directory to unpack into, and something beside it that is not to change.
class Place {
 public:
  Place()
      : folder_(
            util::TempDir::create(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(), "hearth-fuzz-")
                .value()) {
    expect(util::write_file(beside(), "untouched").has_value(), "the file beside is written");
  }

  fs::path directory() const { return folder_.path() / "inside"; }
  fs::path beside() const { return folder_.path() / "beside"; }

  void expect_untouched() const {
    expect(util::read_file(beside()) == "untouched", "the file beside is as it was");
    const auto entries = std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator());
    expect(entries == 2, "nothing came to lie beside");
  }

 private:
  util::TempDir folder_;
};

const Registration kTarget("archive", [](Bytes input) {
  static const Place place;
  const std::size_t options = input.empty() ? 0 : std::to_integer<std::size_t>(take(input, 1).front());
  const util::Fd archive(::memfd_create("archive", MFD_CLOEXEC));
  expect(archive && util::write_full(archive.get(), input), "the archive is written");
  expect(::lseek(archive.get(), 0, SEEK_SET) == 0, "and read from its begin");
  fs::create_directory(place.directory());
  util::UnpackOptions how{.limits = kLimits, .owner = {}, .leave_out = {}};
  if ((options & 1) != 0) how.top_folder = util::TopFolder::strip_if_sole;
  const auto unpacked = util::unpack(archive, place.directory(), how, {});
  if (unpacked) expect(unpacked->entries <= kLimits.entries && unpacked->bytes <= kLimits.bytes, "the limits");
  place.expect_untouched();
  expect(util::remove_tree(place.directory()).has_value(), "it is removed");
});

}  // namespace
}  // namespace hearth::fuzz
