#include "build/cache_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/format/compression.h"
#include "cache/operator/generation_tar.h"
#include "slug/parallel_gzip.h"
#include "util/text.h"

namespace hearth::build {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFrame = std::size_t{4} << 20;  // of the tar: a zstd frame each

// The tar as it is, or each piece of it as a zstd frame; readers take frames one after the other for one stream.
Result<Exported> write_pieces(cache::GenerationTar& tar, ArchiveFormat format, const util::Fd& out,
                              const std::stop_token& stop) {
  Exported done;
  util::Sha256 hasher;
  std::vector<std::byte> piece(kFrame);
  std::size_t count = kFrame;
  while (count == kFrame) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "the export was stopped");
    count = TRY(tar.read(piece));
    if (count == 0) break;
    std::vector<std::byte> frame;
    std::span<const std::byte> bytes = std::span(piece).first(count);
    if (format == ArchiveFormat::tar_zst) {
      frame = TRY(cache::compress(bytes, cache::kDefaultCompressionLevel));
      bytes = frame;
    }
    TRY(within("writing the archive", util::write_full(out.get(), bytes)));
    hasher.update(bytes);
    done.bytes += bytes.size();
  }
  done.sha256 = hasher.finish();
  return done;
}

Result<void> apply_top(const fs::path& directory, const util::Unpacked& unpacked) {
  if (!unpacked.top) return {};
  if (::chmod(directory.c_str(), unpacked.top->mode) != 0) return fail_errno(errno, directory.native());
  if (!unpacked.top->mtime) return {};
  const std::array<timespec, 2> times = {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, *unpacked.top->mtime};
  if (::utimensat(AT_FDCWD, directory.c_str(), times.data(), 0) != 0) return fail_errno(errno, directory.native());
  return {};
}

}  // namespace

std::optional<ArchiveFormat> archive_format_of(std::string_view file) {
  if (file.ends_with(".tar")) return ArchiveFormat::tar;
  if (file.ends_with(".tar.gz") || file.ends_with(".tgz")) return ArchiveFormat::tar_gz;
  if (file.ends_with(".tar.zst")) return ArchiveFormat::tar_zst;
  return std::nullopt;
}

Result<Exported> export_cache(store::ObjectStore& store, const cache::Layout& layout,
                              const cache::OpenedGeneration& opened, ArchiveFormat format, const util::Fd& out,
                              const std::stop_token& stop) {
  cache::GenerationTar tar(store, layout, opened, stop);
  if (format != ArchiveFormat::tar_gz) return write_pieces(tar, format, out, stop);
  const slug::Compressed compressed =
      TRY(slug::gzip([&](std::span<std::byte> into) { return tar.read(into); }, out, {}, stop));
  return Exported{.bytes = compressed.bytes, .sha256 = compressed.sha256};
}

Result<Exported> export_cache(store::ObjectStore& store, const cache::Layout& layout,
                              const cache::OpenedGeneration& opened, ArchiveFormat format, const fs::path& file,
                              const std::stop_token& stop) {
  const std::string part = fmt::format("{}.{}.part", file.native(), util::random_hex(4));
  const auto write = [&]() -> Result<Exported> {
    const util::Fd out = TRY(util::open_file(part, O_WRONLY | O_CREAT | O_EXCL));
    const Exported done = TRY(export_cache(store, layout, opened, format, out, stop));
    if (::rename(part.c_str(), file.c_str()) != 0) return fail_errno(errno, file.native());
    return done;
  };
  Result<Exported> done = write();
  if (!done) ::unlink(part.c_str());
  return done;
}

Result<Imported> import_cache(store::ObjectStore& store, const cache::Name& name, const util::Fd& archive,
                              const fs::path& temporary, const cache::SaveOptions& options,
                              const std::stop_token& stop) {
  const util::TempDir place = TRY(util::TempDir::create(temporary, "hearth-import-"));
  const fs::path directory = place.path() / "tree";
  TRY(util::make_directories(directory));
  Imported imported;
  imported.unpacked = TRY(util::unpack(archive, directory, {}, stop));
  TRY(apply_top(directory, imported.unpacked));
  imported.save = cache::save(store, name, directory, place.path() / "index", options, stop);
  return imported;
}

}  // namespace hearth::build
