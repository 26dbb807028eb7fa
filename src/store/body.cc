#include "store/body.h"

#include <sys/stat.h>

#include <cerrno>

namespace hearth::store {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

Result<std::span<const std::byte>> piece_of(const Body& body, std::uint64_t offset, std::vector<std::byte>& buffer,
                                            std::size_t length) {
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&body)) return bytes->subspan(offset, length);
  buffer.resize(length);
  const std::size_t got = TRY(util::read_at(std::get<const util::Fd*>(body)->get(), buffer, offset));
  if (got != length) return fail(ErrorKind::invalid, "the file became shorter while it was stored");
  return std::span<const std::byte>(buffer);
}

}  // namespace

Result<std::uint64_t> body_size(const Body& body) {
  if (const auto* bytes = std::get_if<std::span<const std::byte>>(&body)) return bytes->size();
  struct stat status{};
  if (::fstat(std::get<const util::Fd*>(body)->get(), &status) != 0) {
    return fail_errno(errno, "examining the file to be stored");
  }
  if (!S_ISREG(status.st_mode)) return fail(ErrorKind::invalid, "what is to be stored is not a regular file");
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> for_each_piece(const Body& body, ByteRange part,
                            const std::function<Result<void>(std::span<const std::byte>)>& use,
                            const std::stop_token& stop) {
  std::vector<std::byte> buffer;
  for (std::uint64_t done = 0; done < part.length;) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped while storing");
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, part.length - done));
    const std::span<const std::byte> piece = TRY(piece_of(body, part.offset + done, buffer, length));
    TRY(use(piece));
    done += length;
  }
  return {};
}

Result<void> for_each_piece(const Body& body, const std::function<Result<void>(std::span<const std::byte>)>& use,
                            const std::stop_token& stop) {
  const std::uint64_t size = TRY(body_size(body));
  TRY(for_each_piece(body, {0, size}, use, stop));
  const std::uint64_t size_now = TRY(body_size(body));
  if (size_now != size) return fail(ErrorKind::invalid, "the file changed its size while it was stored");
  return {};
}

Result<util::Md5::Value> md5_of_part(const Body& body, ByteRange part, const std::stop_token& stop) {
  util::Md5 md5;
  const auto add = [&md5](std::span<const std::byte> piece) -> Result<void> {
    md5.update(piece);
    return {};
  };
  TRY(for_each_piece(body, part, add, stop));
  return md5.finish();
}

}  // namespace hearth::store
