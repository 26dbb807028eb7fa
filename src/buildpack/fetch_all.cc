#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "buildpack/app_files.h"
#include "buildpack/kept.h"
#include "buildpack/resolve.h"
#include "buildpack/selection.h"
#include "http/download.h"
#include "util/copy_tree.h"
#include "util/file.h"

namespace hearth::buildpack {
namespace {

namespace fs = std::filesystem;

// A buildpack is small; whatever is larger is a mistake or an attack.
constexpr util::UnpackLimits kTarballLimits{.entries = 200'000, .bytes = std::uint64_t{4} << 30};

// Nobody waits long for an answer that only saves a download.
constexpr http::DownloadLimits kValidatorLimits{
    .bytes = 1 << 20, .connect = std::chrono::seconds(10), .no_progress = std::chrono::seconds(10)};

Result<void> copy_directory(const util::Fd& from, const Buildpack& buildpack, const FetchPlan& plan,
                            const std::stop_token& stop) {
  const util::CopyOptions options{.owner = plan.owner, .mtimes = util::Mtimes::as_stored, .leave_out = fetch::is_git};
  TRY(util::copy_tree(from, buildpack.directory, options, stop));
  return {};
}

Result<void> get_directory(const fetch::Reference& reference, fetch::Origin origin, const FetchPlan& plan,
                           const Buildpack& buildpack, const std::stop_token& stop) {
  constexpr std::string_view kExpected =
      "expected a git URL (https://, ssh://, git@host:path), a tarball URL or a directory";
  if (origin == fetch::Origin::app_named) {
    auto inside = app_directory(plan.app_dir, reference.location);
    if (!inside && inside.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::not_found, "neither a known alias nor a directory in the app; {}", kExpected);
    const util::Fd from = TRY(std::move(inside));
    return copy_directory(from, buildpack, plan, stop);
  }
  const fs::path named = reference.location;
  if (std::error_code ignored; !fs::is_directory(named, ignored)) {
    return fail(fs::exists(named, ignored) ? ErrorKind::invalid : ErrorKind::not_found, "no such directory; {}",
                kExpected);
  }
  const util::Fd from = TRY(util::open_file(named, O_RDONLY | O_DIRECTORY));
  return copy_directory(from, buildpack, plan, stop);
}

Result<std::string> get_git(const fetch::Reference& reference, const FetchPlan& plan, const Buildpack& buildpack,
                            const std::stop_token& stop) {
  const Kept kept(plan.store_dir, plan.store_bytes);
  auto revision = fetch::remote_revision(plan.git, reference, stop);
  if (!revision && revision.error().kind != ErrorKind::not_found) return revision;
  if (revision && TRY(kept.copy_out(reference.location, *revision, buildpack.directory, plan.owner, stop)))
    return revision;
  auto checkout = TRY(fetch::fetch_git(plan.git, reference, buildpack.directory, fetch::Submodules::leave, stop));
  // Without a kept copy the next build fetches again; that is no reason to fail this one.
  (void)kept.keep(reference.location, checkout.revision, buildpack.directory, stop);
  return std::move(checkout.revision);
}

// A tarball that holds nothing but bin/ lost it as its sole top folder.
Result<void> put_back_bin(const fs::path& directory, const FetchPlan& plan) {
  std::error_code error;
  if (fs::is_directory(directory / "bin", error) || !fs::is_regular_file(directory / "detect", error)) return {};
  const fs::path folder = directory.native() + ".bin";
  fs::rename(directory, folder, error);
  if (error || ::mkdir(directory.c_str(), 0755) != 0) return fail_errno(errno, directory.native());
  if (plan.owner && ::lchown(directory.c_str(), *plan.owner, *plan.owner) != 0)
    return fail_errno(errno, directory.native());
  fs::rename(folder, directory / "bin", error);
  if (error) return fail_errno(error.value(), directory.native());
  return {};
}

// A tarball's revision is known only when it is here, so it is kept under what its server calls this state of it; where
// the server has no name for it, it always comes anew.
Result<std::string> get_tarball(const fetch::Reference& reference, const FetchPlan& plan, const Buildpack& buildpack,
                                const std::stop_token& stop) {
  const util::UnpackOptions options{.limits = kTarballLimits,
                                    .mtimes = util::Mtimes::as_stored,
                                    .top_folder = util::TopFolder::strip_if_sole,
                                    .owner = plan.owner,
                                    .leave_out = {}};
  const Kept kept(plan.store_dir, plan.store_bytes);
  // A server that answers no such question is no reason to fail; the download will say what is wrong.
  const auto validator = [&] { return http::validator(reference.location, kValidatorLimits, stop).value_or(""); };
  const std::string before = validator();
  if (!before.empty() && TRY(kept.copy_out(reference.location, before, buildpack.directory, plan.owner, stop)))
    return kept.note(reference.location, before);
  auto checkout = TRY(fetch::fetch_tarball(reference, buildpack.directory, options, stop));
  TRY(put_back_bin(buildpack.directory, plan));
  if (!before.empty() && validator() == before)
    (void)kept.keep(reference.location, before, buildpack.directory, stop, checkout.revision);
  return std::move(checkout.revision);
}

Result<Buildpack> get(const std::string& text, std::size_t number, const Choice& choice, const Request& request,
                      const FetchPlan& plan, const std::stop_token& stop) {
  const auto origin = choice.named == Named::command_line ? fetch::Origin::operator_named : fetch::Origin::app_named;
  const bool aliased = alias(text, request.aliases).has_value();
  const fetch::Reference reference = TRY(resolve(text, request.aliases, origin));
  Buildpack buildpack{.name = short_name(reference.location),
                      .source = fetch::masked(reference.location),
                      .revision = "",
                      .directory = {}};
  buildpack.directory = plan.checkout_dir / fmt::format("{:02}-{}", number, buildpack.name);
  switch (reference.medium) {
    case fetch::Medium::directory:
      TRY(get_directory(reference, aliased ? fetch::Origin::operator_named : origin, plan, buildpack, stop));
      break;
    case fetch::Medium::git:
      buildpack.revision = TRY(get_git(reference, plan, buildpack, stop));
      break;
    case fetch::Medium::tarball:
      buildpack.revision = TRY(get_tarball(reference, plan, buildpack, stop));
      break;
  }
  return buildpack;
}

// Folders with a `bin`, in name order.
Result<std::vector<Buildpack>> get_installed(const Request& request, const FetchPlan& plan,
                                             const std::stop_token& stop) {
  std::vector<Buildpack> buildpacks;
  if (request.installed.empty()) return buildpacks;
  std::vector<fs::path> folders;
  std::error_code error;
  fs::directory_iterator entries(request.installed, error);
  if (error) return fail_errno(error.value(), fmt::format("buildpacks directory {}", request.installed.native()));
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code ignored;
    const fs::path& path = entries->path();
    if (!path.filename().native().starts_with('.') && fs::is_directory(path / "bin", ignored)) folders.push_back(path);
  }
  if (error) return fail_errno(error.value(), request.installed.native());
  std::ranges::sort(folders);
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    Buildpack buildpack{.name = name, .source = folder.string(), .revision = "", .directory = {}};
    buildpack.directory = plan.checkout_dir / fmt::format("{:02}-{}", buildpacks.size() + 1, short_name(name));
    const auto copy = [&]() -> Result<void> {
      const util::Fd from = TRY(util::open_file(folder, O_RDONLY | O_DIRECTORY));
      return copy_directory(from, buildpack, plan, stop);
    };
    TRY(within(fmt::format("buildpack {}", folder.native()), copy()));
    buildpacks.push_back(std::move(buildpack));
  }
  return buildpacks;
}

}  // namespace

Result<std::vector<Buildpack>> fetch_all(const Choice& choice, const Request& request, const FetchPlan& plan,
                                         std::stop_token stop) {
  TRY(util::make_directories(plan.checkout_dir));
  if (choice.named == Named::detection) return get_installed(request, plan, stop);
  std::vector<Buildpack> buildpacks;
  for (const std::string& text : choice.references) {
    auto buildpack = TRY(within(fmt::format("buildpack {} (from {})", fetch::masked(text), name(choice.named)),
                                get(text, buildpacks.size() + 1, choice, request, plan, stop)));
    buildpacks.push_back(std::move(buildpack));
  }
  return buildpacks;
}

}  // namespace hearth::buildpack
