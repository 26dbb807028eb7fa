#include "util/byte_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <poll.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <optional>

#include "util/lazy_library.h"

namespace hearth::util {

namespace {

constexpr std::size_t kBuffer = std::size_t{256} << 10;
constexpr int kPollMilliseconds = 100;
constexpr int kGzipOnly = 16 + MAX_WBITS;  // inflateInit2: a gzip header, and its checksum verified

using Bytes = std::span<const std::byte>;

bool begins_like_gzip(Bytes bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

class FdSource : public ByteSource {
 public:
  FdSource(int fd, std::stop_token stop) : fd_(fd), stop_(std::move(stop)), buffer_(kBuffer) {}

  Result<Bytes> next() override {
    if (peeked_) return *std::exchange(peeked_, std::nullopt);
    TRY(wait());
    while (true) {
      const ssize_t count = ::read(fd_, buffer_.data(), buffer_.size());
      if (count >= 0) return Bytes(buffer_).first(static_cast<std::size_t>(count));
      if (errno != EINTR) return fail_errno(errno, "reading the archive");
    }
  }

  // What next() will return.
  Result<Bytes> peek() {
    peeked_ = TRY(next());
    return *peeked_;
  }

 private:
  Result<void> wait() {
    pollfd waiting{.fd = fd_, .events = POLLIN, .revents = 0};
    int ready = 0;
    while (ready == 0 || (ready < 0 && errno == EINTR)) {
      if (stop_.stop_requested()) return fail(ErrorKind::cancelled, "stopped while reading the archive");
      ready = ::poll(&waiting, 1, kPollMilliseconds);
    }
    if (ready < 0) return fail_errno(errno, "waiting for the archive");
    return {};
  }

  int fd_;
  std::stop_token stop_;
  std::vector<std::byte> buffer_;
  std::optional<Bytes> peeked_;
};

// zlib, because libarchive's gzip filter does not look at the checksum.
class GzipSource : public ByteSource {
 public:
  static Result<std::unique_ptr<ByteSource>> open(std::unique_ptr<FdSource> input) {
    std::unique_ptr<GzipSource> source(new GzipSource(std::move(input)));
    if (::inflateInit2(&source->stream_, kGzipOnly) != Z_OK) return fail(ErrorKind::io, "zlib cannot start");
    source->open_ = true;
    return std::unique_ptr<ByteSource>(std::move(source));
  }

  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override {
    if (open_) ::inflateEnd(&stream_);
  }

  Result<Bytes> next() override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    while (!ended_ && stream_.avail_out == buffer_.size()) TRY(step());
    return Bytes(buffer_).first(buffer_.size() - stream_.avail_out);
  }

 private:
  explicit GzipSource(std::unique_ptr<FdSource> input) : input_(std::move(input)), buffer_(kBuffer) {}

  Result<void> step() {
    const bool refilled = TRY(refill());
    if (!refilled) return fail(ErrorKind::corrupt, "the gzip data ends too early");
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) return next_member();
    if (result == Z_MEM_ERROR) return fail(ErrorKind::io, "no memory for decompression");
    if (result != Z_OK && result != Z_BUF_ERROR) {
      return fail(ErrorKind::corrupt, "the gzip data is damaged: {}",
                  stream_.msg != nullptr ? stream_.msg : "no reason");
    }
    return {};
  }

  // False at the end of the input.
  Result<bool> refill() {
    if (stream_.avail_in > 0) return true;
    const Bytes bytes = TRY(input_->next());
    // zlib does not write to its input; its type says otherwise unless ZLIB_CONST is set.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    return !bytes.empty();
  }

  // Another member may follow; anything else, as padding of a tape does, ends the stream as it does for gzip itself.
  Result<void> next_member() {
    const bool more = TRY(refill());
    if (!more || *stream_.next_in != 0x1f) {
      ended_ = true;
      return {};
    }
    if (::inflateReset(&stream_) != Z_OK) return fail(ErrorKind::io, "zlib cannot start again");
    return {};
  }

  std::unique_ptr<FdSource> input_;
  std::vector<std::byte> buffer_;
  z_stream stream_{};
  bool open_ = false;
  bool ended_ = false;
};

// libarchive's filters around a "raw" archive of one entry.
class FilterSource : public ByteSource {
 public:
  static Result<std::unique_ptr<ByteSource>> open(std::unique_ptr<FdSource> input) {
    TRY(load_libarchive());
    std::unique_ptr<FilterSource> source(new FilterSource(std::move(input)));
    TRY(source->start());
    return std::unique_ptr<ByteSource>(std::move(source));
  }

  Result<Bytes> next() override {
    if (ended_) return Bytes();
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = ::archive_read_data_block(archive_.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) {
      ended_ = true;
      return Bytes();
    }
    if (result < ARCHIVE_WARN) return failure();
    return Bytes(static_cast<const std::byte*>(data), size);
  }

 private:
  explicit FilterSource(std::unique_ptr<FdSource> input)
      : input_(std::move(input)), archive_(::archive_read_new(), &::archive_read_free) {}

  Result<void> start() {
    ::archive_read_support_filter_zstd(archive_.get());
    ::archive_read_support_filter_xz(archive_.get());
    ::archive_read_support_filter_bzip2(archive_.get());
    ::archive_read_support_format_raw(archive_.get());
    ::archive_read_support_format_empty(archive_.get());
    archive_entry* entry = nullptr;
    int result = ::archive_read_open(archive_.get(), this, nullptr, &FilterSource::feed, nullptr);
    if (result >= ARCHIVE_WARN) result = ::archive_read_next_header(archive_.get(), &entry);
    if (result == ARCHIVE_EOF) ended_ = true;
    if (result < ARCHIVE_WARN) return failure();
    return {};
  }

  static la_ssize_t feed(archive* handle, void* self, const void** data) {
    auto* source = static_cast<FilterSource*>(self);
    const Result<Bytes> bytes = source->input_->next();
    if (!bytes) {
      source->error_ = bytes.error();
      ::archive_set_error(handle, EIO, "%s", bytes.error().message.c_str());
      return -1;
    }
    *data = bytes->data();
    return static_cast<la_ssize_t>(bytes->size());
  }

  std::unexpected<Error> failure() {
    if (error_) return std::unexpected(*error_);
    const char* reason = ::archive_error_string(archive_.get());
    return fail(ErrorKind::corrupt, "the compressed data is damaged or ends too early: {}",
                reason != nullptr ? reason : "no reason given");
  }

  std::unique_ptr<FdSource> input_;
  std::unique_ptr<archive, decltype(&::archive_read_free)> archive_;
  std::optional<Error> error_;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_decompressed(const Fd& fd, std::stop_token stop) {
  auto input = std::make_unique<FdSource>(fd.get(), std::move(stop));
  const Bytes begin = TRY(input->peek());
  if (begins_like_gzip(begin)) return GzipSource::open(std::move(input));
  return FilterSource::open(std::move(input));
}

}  // namespace hearth::util
