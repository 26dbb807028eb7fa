// A generation of a cache as an archive file that other tools read, and an archive file as a new generation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string_view>

#include "cache/cache.h"
#include "cache/generations/inspect.h"
#include "store/object_store.h"
#include "util/error.h"
#include "util/file.h"
#include "util/hash.h"
#include "util/unpack.h"

namespace hearth::build {

enum class ArchiveFormat { tar, tar_gz, tar_zst };

// By the end of the file's name: .tar, .tar.gz, .tgz, .tar.zst. Absent for others.
std::optional<ArchiveFormat> archive_format_of(std::string_view file);

struct Exported {
  std::uint64_t bytes = 0;  // written
  util::Digest sha256;      // of them
};

// Writes the tar of the generation (cache/operator/generation_tar.h) to `out`, packed as the format says; the same
// generation gives the same bytes (with one version of the libraries that compress). Every byte of content is verified
// before it is written. After an error, which may be one of `out`, a part was written.
Result<Exported> export_cache(store::ObjectStore& store, const cache::Layout& layout,
                              const cache::OpenedGeneration& opened, ArchiveFormat format, const util::Fd& out,
                              const std::stop_token& stop);
// The same to a file, which is there only when it is complete.
Result<Exported> export_cache(store::ObjectStore& store, const cache::Layout& layout,
                              const cache::OpenedGeneration& opened, ArchiveFormat format,
                              const std::filesystem::path& file, const std::stop_token& stop);

struct Imported {
  util::Unpacked unpacked;
  cache::SaveReport save;
};

// Unpacks a tar (util/unpack.h: any of its formats, packed or not) into a directory of its own below `temporary`, and
// saves that as the newest generation. Its root gets the mode and time that the archive has for "./"; else 0755 and
// now. Errors are those of the archive and of the local system; how the save went is in its report. Nothing stays.
Result<Imported> import_cache(store::ObjectStore& store, const cache::Name& name, const util::Fd& archive,
                              const std::filesystem::path& temporary, const cache::SaveOptions& options,
                              const std::stop_token& stop);

}  // namespace hearth::build
