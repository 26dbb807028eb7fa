// Hashing, cutting and compressing.
#include <benchmark/benchmark.h>

#include "cache/format/block.h"
#include "cache/format/chunker.h"
#include "cache/format/content_digest.h"
#include "micro/samples.h"
#include "util/hash.h"

namespace hearth::bench {

namespace {

constexpr int kLevel = 3;
constexpr std::size_t kContents = 64;
constexpr std::size_t kLarge = 64 << 20;

using Sample = std::vector<std::byte> (*)(std::size_t);

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void hash(benchmark::State& state) {
  const std::vector<std::byte> bytes = noise(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(util::sha256(bytes));
  count_bytes(state, bytes.size());
}
BENCHMARK(hash)->Arg(1 << 10)->Arg(16 << 10)->Arg(1 << 20);

// Many contents of one size: what a save does with the small files of a tree.
void digests(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::vector<std::byte> bytes = noise(size * kContents);
  std::vector<std::span<const std::byte>> contents;
  for (std::size_t i = 0; i < kContents; ++i) contents.push_back(std::span(bytes).subspan(i * size, size));
  for (auto _ : state) benchmark::DoNotOptimize(cache::content_digests(contents).data());
  count_bytes(state, bytes.size());
}
BENCHMARK(digests)->Arg(1 << 10)->Arg(16 << 10)->Arg(256 << 10);

void chunker(benchmark::State& state) {
  const std::vector<std::byte> bytes = noise(kLarge);
  for (auto _ : state) {
    for (std::span<const std::byte> left = bytes; !left.empty(); left = left.subspan(cache::chunk_length(left))) {
      benchmark::DoNotOptimize(left.data());
    }
  }
  count_bytes(state, bytes.size());
}
BENCHMARK(chunker)->Unit(benchmark::kMillisecond);

void block_encode(benchmark::State& state, Sample sample) {
  const std::vector<std::byte> raw = sample(cache::kBlockTarget);
  for (auto _ : state) benchmark::DoNotOptimize(cache::encode_block(raw, kLevel)->stored.data());
  count_bytes(state, raw.size());
}
BENCHMARK_CAPTURE(block_encode, text, source_code)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(block_encode, noise, noise)->Unit(benchmark::kMillisecond);

void block_decode(benchmark::State& state, Sample sample) {
  const std::vector<std::byte> raw = sample(cache::kBlockTarget);
  const cache::EncodedBlock encoded = *cache::encode_block(raw, kLevel);
  for (auto _ : state) benchmark::DoNotOptimize(cache::decode_block(encoded.block, encoded.stored)->data());
  count_bytes(state, raw.size());
}
BENCHMARK_CAPTURE(block_decode, text, source_code)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(block_decode, noise, noise)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace hearth::bench
