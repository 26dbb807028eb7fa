#include "cache/format/compression.h"

#include <zstd.h>

#include <memory>

namespace hearth::cache {

namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

// Level 3, but for what is known here of its input: blocks of 4 MiB, all of which a match may lie in, and one of the
// two tables half as large, so that a core's own cache holds both (docs/performance.md). 0 is the level's own choice.
struct Tuning {
  int window_log = 0;
  int chain_log = 0;
};

Tuning tuning_of(int level) {
  if (level != kDefaultCompressionLevel) return {};
  return {.window_log = 22, .chain_log = 15};
}

std::size_t compress_frame(ZSTD_CCtx* context, std::span<std::byte> frame, std::span<const std::byte> raw, int level) {
  const Tuning tuning = tuning_of(level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, tuning.window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, tuning.chain_log);
  return ZSTD_compress2(context, frame.data(), frame.size(), raw.data(), raw.size());
}

ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

Result<std::vector<std::byte>> compress(std::span<const std::byte> raw, int level) {
  std::vector<std::byte> room;
  const std::span<const std::byte> frame = TRY(compress(raw, level, room));
  return std::vector<std::byte>(frame.begin(), frame.end());
}

Result<std::span<const std::byte>> compress(std::span<const std::byte> raw, int level, std::vector<std::byte>& room) {
  ZSTD_CCtx* const context = compression_context();
  if (context == nullptr) return fail(ErrorKind::io, "no memory to compress");
  const std::size_t most = ZSTD_compressBound(raw.size());
  if (room.size() < most) room = std::vector<std::byte>(most);  // no more than that
  const std::size_t size = compress_frame(context, room, raw, level);
  if (ZSTD_isError(size) != 0) return fail(ErrorKind::io, "cannot compress: {}", ZSTD_getErrorName(size));
  return std::span(room).first(size);
}

Result<void> decompress_into(std::span<std::byte> raw, std::span<const std::byte> frame) {
  ZSTD_DCtx* const context = decompression_context();
  if (context == nullptr) return fail(ErrorKind::io, "no memory to decompress");
  // Several frames in a row would be decompressed as one; there is exactly one.
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
    return fail(ErrorKind::corrupt, "compressed data is damaged");
  }
  if (ZSTD_getFrameContentSize(frame.data(), frame.size()) != raw.size()) {
    return fail(ErrorKind::corrupt, "compressed data does not have {} bytes of content", raw.size());
  }
  const std::size_t size = ZSTD_decompressDCtx(context, raw.data(), raw.size(), frame.data(), frame.size());
  if (size != raw.size()) return fail(ErrorKind::corrupt, "compressed data is damaged");
  return {};
}

Result<std::vector<std::byte>> decompress(std::span<const std::byte> frame, std::size_t raw_bytes) {
  std::vector<std::byte> raw(raw_bytes);
  TRY(decompress_into(raw, frame));
  return raw;
}

}  // namespace hearth::cache
