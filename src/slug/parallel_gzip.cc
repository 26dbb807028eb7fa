#include "slug/parallel_gzip.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <tbb/info.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace hearth::slug {

namespace {

constexpr std::size_t kMember = std::size_t{1} << 20;  // uncompressed bytes of a gzip member

using Bytes = std::vector<std::byte>;

// The first error of any stage; the stages go on until the pipeline has run dry.
class FirstError {
 public:
  void set(Error error) {
    const std::lock_guard guard(mutex_);
    if (!error_) error_ = std::move(error);
  }
  std::optional<Error> get() const {
    const std::lock_guard guard(mutex_);
    return error_;
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

// Room for the header, the trailer, and blocks that are stored because they do not compress.
constexpr std::size_t fast_bound(std::size_t plain) {
  return plain + plain / 1024 + 4096;
}

Result<Bytes> compress_fast(const Bytes& plain) {
  Bytes tables(ISAL_DEF_LVL1_DEFAULT);
  Bytes packed(fast_bound(plain.size()));
  isal_zstream stream;
  ::isal_deflate_init(&stream);
  stream.level = 1;
  stream.level_buf = reinterpret_cast<std::uint8_t*>(tables.data());
  stream.level_buf_size = static_cast<std::uint32_t>(tables.size());
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  // It only reads from there.
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(plain.data()));
  stream.avail_in = static_cast<std::uint32_t>(plain.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(packed.data());
  stream.avail_out = static_cast<std::uint32_t>(packed.size());
  if (::isal_deflate(&stream) != COMP_OK || stream.internal_state.state != ZSTATE_END) {
    return fail(ErrorKind::io, "the slug cannot be compressed");
  }
  packed.resize(stream.total_out);
  return packed;
}

Result<Bytes> compress(const Bytes& plain, int level) {
  if (level == 1) return compress_fast(plain);
  const std::unique_ptr<libdeflate_compressor, decltype(&::libdeflate_free_compressor)> compressor(
      ::libdeflate_alloc_compressor(level), &::libdeflate_free_compressor);
  if (!compressor) return fail(ErrorKind::io, "no memory to compress");
  Bytes packed(::libdeflate_gzip_compress_bound(compressor.get(), plain.size()));
  packed.resize(::libdeflate_gzip_compress(compressor.get(), plain.data(), plain.size(), packed.data(), packed.size()));
  return packed;
}

// The next member's bytes; none at the end, after an error and after a stop.
Bytes next_plain(const ReadBytes& read, FirstError& error, const std::stop_token& stop) {
  if (error.get()) return {};
  if (stop.stop_requested()) {
    error.set({ErrorKind::cancelled, "stopped while compressing"});
    return {};
  }
  Bytes plain(kMember);
  const Result<std::size_t> count = read(plain);
  if (!count) error.set(count.error());
  plain.resize(count.value_or(0));
  return plain;
}

}  // namespace

Result<Compressed> gzip(const ReadBytes& read, const util::Fd& out, const GzipOptions& options,
                        const std::stop_token& stop) {
  const auto cores = static_cast<unsigned>(tbb::info::default_concurrency());
  const unsigned threads = options.threads != 0 ? std::min(options.threads, cores) : cores;
  const int level = std::clamp(options.level, 1, 9);
  FirstError error;
  Compressed done;
  util::Sha256 hasher;
  const auto write = [&](const Bytes& packed) -> Result<void> {
    TRY(within("writing what was compressed", util::write_full(out.get(), packed)));
    hasher.update(packed);
    done.bytes += packed.size();
    return {};
  };
  const auto source = tbb::make_filter<void, Bytes>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& flow) {
    Bytes plain = next_plain(read, error, stop);
    if (plain.empty()) flow.stop();
    return plain;
  });
  const auto packer = tbb::make_filter<Bytes, Bytes>(tbb::filter_mode::parallel, [&](const Bytes& plain) {
    Result<Bytes> packed = compress(plain, level);
    if (!packed) error.set(packed.error());
    return packed.value_or(Bytes());
  });
  const auto sink = tbb::make_filter<Bytes, void>(tbb::filter_mode::serial_in_order, [&](const Bytes& packed) {
    if (error.get()) return;
    if (const Result<void> written = write(packed); !written) error.set(written.error());
  });
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] { tbb::parallel_pipeline(std::size_t{2} * threads + 1, source & packer & sink); });
  if (const std::optional<Error> failed = error.get()) return std::unexpected(*failed);
  done.sha256 = hasher.finish();
  return done;
}

}  // namespace hearth::slug
