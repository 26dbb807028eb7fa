#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <random>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

constexpr std::size_t kFilesInDirectory = 200;
constexpr std::size_t kSmallest = 100;
constexpr std::size_t kLargest = 1500;
constexpr std::size_t kPiece = 256 << 10;
constexpr std::array<std::string_view, 8> kWords = {"import ", "return ", "const ", "function",
                                                    "(a, b)",  ";\n  ",   "= ",     "x"};

std::string text(std::mt19937_64& random, std::size_t size) {
  std::string text;
  while (text.size() < size) fmt::format_to(std::back_inserter(text), "{}{}", kWords[random() % 8], random() % 100);
  text.resize(size);
  return text;
}

}  // namespace

Result<void> generate(const std::filesystem::path& root, std::size_t count) {
  const std::size_t directories = (count + kFilesInDirectory - 1) / kFilesInDirectory;
  return for_each(directories, [&](std::size_t i) -> Result<void> {
    const std::filesystem::path directory = root / fmt::format("{:02}", i % 100) / fmt::format("{}", i);
    TRY(util::make_directories(directory));
    std::mt19937_64 random(i);
    for (std::size_t file = i * kFilesInDirectory; file < std::min(count, (i + 1) * kFilesInDirectory); ++file) {
      const std::size_t size = kSmallest + random() % (kLargest - kSmallest);
      TRY(util::write_file(directory / fmt::format("file-{}.js", file), text(random, size)));
    }
    return {};
  });
}

Result<void> generate_file(const std::filesystem::path& path, std::uint64_t bytes) {
  const util::Fd fd = TRY(util::open_file(path, O_WRONLY | O_CREAT | O_TRUNC));
  std::mt19937_64 random(1);
  const std::string pattern = text(random, 4 * kPiece);
  std::vector<std::uint64_t> noise(kPiece / sizeof(std::uint64_t));
  for (std::uint64_t written = 0; written < bytes; written += 2 * kPiece) {
    for (std::uint64_t& word : noise) word = random();
    TRY(util::write_full(fd.get(), std::as_bytes(std::span(noise))));
    TRY(util::write_full(fd.get(), std::string_view(pattern).substr(random() % (3 * kPiece), kPiece)));
  }
  return {};
}

}  // namespace hearth::bench
