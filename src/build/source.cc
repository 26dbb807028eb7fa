#include "build/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "util/copy_tree.h"
#include "util/file.h"
#include "util/text.h"

namespace hearth::build {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kStandardInput = "-";

Result<void> make_build_dir(const SourceRequest& request) {
  TRY(util::make_directories(request.build_dir));
  return {};
}

Result<void> give_to_owner(const SourceRequest& request) {
  if (request.owner && ::lchown(request.build_dir.c_str(), *request.owner, *request.owner) != 0) {
    return fail_errno(errno, request.build_dir.native());
  }
  return {};
}

Result<Source> from_directory(const SourceRequest& request, const fs::path& directory, std::stop_token stop) {
  TRY(make_build_dir(request));
  const util::CopyOptions options{.owner = request.owner, .mtimes = util::Mtimes::now, .leave_out = fetch::is_git};
  // The operator's word, and may be a link.
  const util::Fd from = TRY(util::open_file(directory, O_RDONLY | O_DIRECTORY));
  const util::Copied copied = TRY(util::copy_tree(from, request.build_dir, options, std::move(stop)));
  Source source;
  for (const std::string& skipped : copied.skipped) {
    source.warnings.push_back(fmt::format("left out {}: neither file, directory nor link", skipped));
  }
  return source;
}

util::UnpackOptions unpack_options(const SourceRequest& request, bool came_by_url) {
  const bool strip = request.strip == Strip::once || (request.strip == Strip::automatic && came_by_url);
  return {.limits = request.limits,
          .mtimes = util::Mtimes::now,
          .top_folder = strip ? util::TopFolder::strip_if_sole : util::TopFolder::keep,
          .owner = request.owner,
          .leave_out = fetch::is_git};
}

Result<Source> from_archive(const SourceRequest& request, const util::Fd& archive, std::stop_token stop) {
  TRY(make_build_dir(request));
  TRY(util::unpack(archive, request.build_dir, unpack_options(request, false), std::move(stop)));
  return Source{};
}

Result<Source> from_standard_input(const SourceRequest& request, std::stop_token stop) {
  const util::Fd archive(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!archive) return fail_errno(errno, "reading the tar from standard input");
  return within("the tar on standard input", from_archive(request, archive, std::move(stop)));
}

Result<Source> from_reference(const SourceRequest& request, std::stop_token stop) {
  const fetch::Reference reference = TRY(fetch::parse_reference(request.source, fetch::Origin::operator_named));
  if (reference.medium == fetch::Medium::directory) {
    return fail(ErrorKind::not_found, "no such file or directory: expected a directory, a tarball, a git URL or '-'");
  }
  // What fetches makes the directory itself.
  if (::rmdir(request.build_dir.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, request.build_dir.native());
  }
  if (reference.medium == fetch::Medium::tarball) {
    TRY(fetch::fetch_tarball(reference, request.build_dir, unpack_options(request, true), std::move(stop)));
    return Source{};
  }
  const fetch::GitAccess access = TRY(request.git(reference));
  const fetch::Checkout checkout =
      TRY(fetch::fetch_git(access, reference, request.build_dir, fetch::Submodules::fetch, std::move(stop)));
  return Source{checkout.revision, {}};
}

Result<Source> take(const SourceRequest& request, std::stop_token stop) {
  if (request.source == kStandardInput) return from_standard_input(request, std::move(stop));
  struct stat status{};
  const bool on_disk = ::stat(request.source.c_str(), &status) == 0;
  Result<Source> source;
  if (on_disk && S_ISDIR(status.st_mode)) {
    source = from_directory(request, request.source, std::move(stop));
  } else if (on_disk) {
    const util::Fd archive = TRY(util::open_file(request.source, O_RDONLY));
    source = from_archive(request, archive, std::move(stop));
  } else {
    source = from_reference(request, std::move(stop));
  }
  return within(fmt::format("source {}", fetch::masked(request.source)), std::move(source));
}

}  // namespace

Result<Source> take_source(const SourceRequest& request, std::stop_token stop) {
  Source source = TRY(take(request, std::move(stop)));
  TRY(give_to_owner(request));
  return source;
}

}  // namespace hearth::build
