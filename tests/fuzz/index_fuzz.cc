// The index file of a directory, with its checksum set right.
#include "cache/tree/index.h"

#include <unistd.h>

#include "fuzz/fuzz.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "hearth index 2\n";
constexpr std::size_t kDigits = 64;

bool same(const cache::Index& left, const cache::Index& right) {
  return left.store == right.store && left.head == right.head && left.epoch == right.epoch &&
         left.generation == right.generation && left.probe == right.probe && left.directory == right.directory &&
         left.damaged == right.damaged && left.files == right.files && left.manifest == right.manifest;
}

const fs::path& place() {
  // In memory where that is possible.
  static const util::TempDir folder =
      util::TempDir::create(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(), "hearth-fuzz-")
          .value();
  static const fs::path path = folder.path() / "index";
  return path;
}

const Registration kTarget("index", [](Bytes input) {
  std::string_view text = text_of(input);
  if (text.starts_with(kMagic) && text.size() >= kMagic.size() + kDigits) {
    text = text.substr(kMagic.size(), text.size() - kMagic.size() - kDigits);
  }
  std::string file = std::string(kMagic) + std::string(text);
  file += util::sha256(file).hex();
  expect(util::write_file(place(), file).has_value(), "the file is written");
  const auto directory = cache::peek_directory(place());
  const auto index = cache::read_index(place());
  if (!index) return;
  expect(!directory || *directory == index->directory, "what was peeked at is the directory");
  expect(cache::write_index(place(), *index).has_value(), "it is written");
  const auto again = cache::read_index(place());
  expect(again && same(*again, *index), "it comes back");
});

}  // namespace
}  // namespace hearth::fuzz
