#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "fetch/fetch.h"
#include "http/download.h"
#include "util/file.h"
#include "util/hash.h"

namespace hearth::fetch {
namespace {

Result<std::string> sha256_of(const util::Fd& file) {
  util::Sha256 hash;
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  std::uint64_t offset = 0;
  while (const std::size_t count = TRY(util::read_at(file.get(), buffer, offset))) {
    hash.update(std::span<const std::byte>(buffer.data(), count));
    offset += count;
  }
  return hash.finish().hex();
}

}  // namespace

Result<Checkout> fetch_tarball(const Reference& reference, const std::filesystem::path& destination,
                               const util::UnpackOptions& options, std::stop_token stop) {
  const std::filesystem::path parent = destination.parent_path();
  TRY(util::make_directories(parent));
  const util::TempDir folder = TRY(util::TempDir::create(parent, ".download-"));
  const std::filesystem::path file = folder.path() / "archive";
  TRY(http::download(reference.location, file, {}, stop));
  const util::Fd archive = TRY(util::open_file(file, O_RDONLY));
  std::string revision = TRY(sha256_of(archive));
  if (std::error_code error; !std::filesystem::create_directory(destination, error)) {
    if (error) return fail_errno(error.value(), destination.native());
    return fail(ErrorKind::conflict, "{} is there already", destination.native());
  }
  if (options.owner && *options.owner != ::geteuid() &&
      ::lchown(destination.c_str(), *options.owner, *options.owner) != 0) {
    return fail_errno(errno, destination.native());
  }
  TRY(within(fmt::format("unpacking {}", masked(reference.location)),
             util::unpack(archive, destination, options, std::move(stop))));
  return Checkout{std::move(revision)};
}

}  // namespace hearth::fetch
