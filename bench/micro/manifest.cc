#include "cache/format/manifest.h"

#include <benchmark/benchmark.h>

#include "micro/samples.h"
#include "util/hash.h"

namespace hearth::bench {

namespace {

constexpr std::uint32_t kFiles = 50'000;

const util::Digest kBase = util::sha256("base");

void count(benchmark::State& state, std::size_t object_bytes) {
  state.SetItemsProcessed(state.iterations() * kFiles);
  state.counters["object_bytes"] = static_cast<double>(object_bytes);
}

void manifest_encode(benchmark::State& state, cache::Packing packing) {
  const cache::Manifest manifest = sample_manifest(kFiles, 0);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = cache::encode_manifest(manifest, packing)->size();
  count(state, bytes);
}
BENCHMARK_CAPTURE(manifest_encode, small, cache::Packing::small)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(manifest_encode, fast, cache::Packing::fast)->Unit(benchmark::kMillisecond);

void manifest_decode(benchmark::State& state, cache::Packing packing) {
  const std::vector<std::byte> object = *cache::encode_manifest(sample_manifest(kFiles, 0), packing);
  for (auto _ : state) benchmark::DoNotOptimize(cache::decode_manifest(object)->entries.size());
  count(state, object.size());
}
BENCHMARK_CAPTURE(manifest_decode, small, cache::Packing::small)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(manifest_decode, fast, cache::Packing::fast)->Unit(benchmark::kMillisecond);

void delta_encode(benchmark::State& state) {
  const cache::Manifest base = sample_manifest(kFiles, 0);
  const cache::Manifest next = sample_manifest(kFiles, 1);
  std::size_t bytes = 0;
  for (auto _ : state) bytes = cache::encode_delta(next, base, kBase)->size();
  count(state, bytes);
}
BENCHMARK(delta_encode)->Unit(benchmark::kMillisecond);

void delta_decode(benchmark::State& state) {
  const cache::Manifest base = sample_manifest(kFiles, 0);
  const std::vector<std::byte> object = *cache::encode_delta(sample_manifest(kFiles, 1), base, kBase);
  for (auto _ : state) benchmark::DoNotOptimize(cache::decode_delta(object, base, kBase)->entries.size());
  count(state, object.size());
}
BENCHMARK(delta_decode)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace hearth::bench
