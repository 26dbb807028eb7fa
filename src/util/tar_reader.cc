#include "util/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <clocale>

#include <cerrno>

#include "util/lazy_library.h"

namespace hearth::util {

namespace {

constexpr std::uint64_t kTarBlock = 512;

// libarchive converts the UTF-8 of pax headers to the locale's character set, and composes it on the way; in the "C"
// locale it leaves the bytes alone.
class PlainLocale {
 public:
  PlainLocale() : plain_(::newlocale(LC_ALL_MASK, "C", nullptr)), before_(::uselocale(plain_)) {}
  PlainLocale(const PlainLocale&) = delete;
  PlainLocale& operator=(const PlainLocale&) = delete;
  ~PlainLocale() {
    ::uselocale(before_);
    ::freelocale(plain_);
  }

 private:
  locale_t plain_;
  locale_t before_;
};

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

Result<TarEntryType> type_of(archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return TarEntryType::hard_link;
  switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return TarEntryType::file;
    case AE_IFDIR:
      return TarEntryType::directory;
    case AE_IFLNK:
      return TarEntryType::symlink;
    case AE_IFIFO:
      return TarEntryType::fifo;
    case AE_IFCHR:
    case AE_IFBLK:
      return TarEntryType::device;
    default:
      return fail(ErrorKind::invalid, "the archive has an entry of an unknown type");
  }
}

}  // namespace

struct TarReader::State {
  std::unique_ptr<ByteSource> source;
  std::uint64_t stream_limit = 0;
  std::uint64_t stream_bytes = 0;
  std::optional<Error> source_error;
  bool any_entry = false;
  // Last: libarchive reads from the source while it is freed.
  std::unique_ptr<archive, decltype(&::archive_read_free)> handle{::archive_read_new(), &::archive_read_free};

  Result<std::span<const std::byte>> pull() {
    const std::span<const std::byte> bytes = TRY(source->next());
    stream_bytes += bytes.size();
    if (stream_bytes > stream_limit) return fail(ErrorKind::invalid, "the archive has more than the allowed bytes");
    return bytes;
  }

  static la_ssize_t feed(archive* handle, void* self, const void** data) {
    auto* state = static_cast<State*>(self);
    const Result<std::span<const std::byte>> bytes = state->pull();
    if (!bytes) {
      state->source_error = bytes.error();
      ::archive_set_error(handle, EIO, "%s", bytes.error().message.c_str());
      return -1;
    }
    *data = bytes->data();
    return static_cast<la_ssize_t>(bytes->size());
  }

  std::unexpected<Error> failure() {
    if (source_error) return std::unexpected(*source_error);
    if (!any_entry) {
      return fail(ErrorKind::invalid,
                  "this is no tar archive; expected a tar, plain or compressed by gzip, zstd, xz or bzip2");
    }
    return fail(ErrorKind::corrupt, "the archive is damaged or ends too early: {}",
                text_or_empty(::archive_error_string(handle.get())));
  }

  // libarchive takes the end of the stream for the end of the archive; the format asks for a block of zeros there.
  Result<void> expect_end_marker() {
    const auto marker = static_cast<std::uint64_t>(::archive_read_header_position(handle.get()));
    while (true) {
      const std::span<const std::byte> bytes = TRY(pull());
      if (bytes.empty()) break;
    }
    if (stream_bytes < marker + kTarBlock) return fail(ErrorKind::corrupt, "the archive ends without its end marker");
    return {};
  }
};

TarReader::TarReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarReader::TarReader(TarReader&&) noexcept = default;
TarReader& TarReader::operator=(TarReader&&) noexcept = default;
TarReader::~TarReader() = default;

Result<TarReader> TarReader::open(std::unique_ptr<ByteSource> source, std::uint64_t stream_limit) {
  TRY(load_libarchive());
  auto state = std::make_unique<State>();
  state->source = std::move(source);
  state->stream_limit = stream_limit;
  const PlainLocale plain;
  ::archive_read_support_format_tar(state->handle.get());
  if (::archive_read_open(state->handle.get(), state.get(), nullptr, &State::feed, nullptr) < ARCHIVE_WARN) {
    return state->failure();
  }
  return TarReader(std::move(state));
}

Result<std::optional<TarEntry>> TarReader::next() {
  const PlainLocale plain;
  archive_entry* header = nullptr;
  const int result = ::archive_read_next_header(state_->handle.get(), &header);
  if (result == ARCHIVE_EOF) {
    TRY(state_->expect_end_marker());
    return std::optional<TarEntry>();
  }
  if (result < ARCHIVE_WARN) return state_->failure();
  state_->any_entry = true;
  TarEntry entry;
  entry.type = TRY(type_of(header));
  entry.path = text_or_empty(::archive_entry_pathname(header));
  if (entry.type == TarEntryType::hard_link) entry.target = text_or_empty(::archive_entry_hardlink(header));
  if (entry.type == TarEntryType::symlink) entry.target = text_or_empty(::archive_entry_symlink(header));
  entry.mode = ::archive_entry_perm(header);
  if (::archive_entry_size(header) < 0) return fail(ErrorKind::corrupt, "the archive has an entry of negative size");
  entry.size = static_cast<std::uint64_t>(::archive_entry_size(header));
  if (::archive_entry_mtime_is_set(header) != 0) {
    entry.mtime = timespec{.tv_sec = ::archive_entry_mtime(header), .tv_nsec = ::archive_entry_mtime_nsec(header)};
  }
  return std::optional(std::move(entry));
}

Result<std::optional<TarBlock>> TarReader::next_block() {
  const void* data = nullptr;
  std::size_t size = 0;
  la_int64_t offset = 0;
  const int result = ::archive_read_data_block(state_->handle.get(), &data, &size, &offset);
  if (result == ARCHIVE_EOF) return std::optional<TarBlock>();
  if (result < ARCHIVE_WARN) return state_->failure();
  return std::optional(TarBlock{static_cast<std::uint64_t>(offset), {static_cast<const std::byte*>(data), size}});
}

}  // namespace hearth::util
