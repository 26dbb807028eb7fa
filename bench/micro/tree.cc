// Walking and creating, on the file system of TMPDIR.
#include <benchmark/benchmark.h>
#include <fcntl.h>

#include "cache/tree/create.h"
#include "cache/tree/tree.h"
#include "micro/samples.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

constexpr std::uint32_t kDirectories = 50;
constexpr std::uint32_t kFilesInDirectory = 100;
constexpr std::uint32_t kFiles = kDirectories * kFilesInDirectory;
constexpr std::size_t kFileBytes = 4000;
constexpr cache::Attributes kAttributes{.mode = 0644, .mtime = 1'700'000'000'000'000'000};

Result<void> fill(const std::filesystem::path& root) {
  cache::Creator creator(TRY(cache::Directories::open(root)), std::nullopt);
  const std::vector<std::byte> bytes = source_code(kFileBytes);
  const cache::Piece piece{.offset = 0, .bytes = bytes};
  for (std::uint32_t i = 0; i < kDirectories; ++i) {
    const std::string directory = fmt::format("d{}", i);
    TRY(creator.make_directory(cache::Path(directory)));
    for (std::uint32_t file = 0; file < kFilesInDirectory; ++file) {
      const std::string path = fmt::format("{}/f{}", directory, file);
      TRY(creator.make_file(cache::Path(path), kAttributes, kFileBytes, std::span(&piece, 1)));
    }
    TRY(creator.finish_directory(cache::Path(directory), {.mode = 0755, .mtime = kAttributes.mtime}));
  }
  return {};
}

void walk(benchmark::State& state) {
  const ScratchDirectory scratch;
  if (!fill(scratch.path())) return state.SkipWithError("cannot create files");
  const cache::Directories::Handle root = cache::Directories::open(scratch.path())->root();
  cache::Warnings warnings;
  for (auto _ : state) {
    const auto threads = static_cast<unsigned>(state.range(0));
    benchmark::DoNotOptimize(cache::walk(root, threads, {}, warnings, {})->size());
  }
  state.SetItemsProcessed(state.iterations() * kFiles);
}
BENCHMARK(walk)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

// Few and fixed rounds, and nothing deleted in between, since that would make creating slower on ext4.
void create(benchmark::State& state) {
  const ScratchDirectory scratch;
  int number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const std::filesystem::path root = scratch.path() / std::to_string(++number);
    std::filesystem::create_directory(root);
    state.ResumeTiming();
    if (!fill(root)) return state.SkipWithError("cannot create files");
  }
  state.SetItemsProcessed(state.iterations() * kFiles);
}
BENCHMARK(create)->Iterations(10)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

}  // namespace hearth::bench
