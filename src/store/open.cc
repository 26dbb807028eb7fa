#include "store/open.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "store/azure/azure_store.h"
#include "store/gcs/gcs_store.h"
#include "store/local_store.h"
#include "store/retrying.h"
#include "store/s3/s3_store.h"
#include "store/store_url.h"
#include "store/swift/swift_store.h"
#include "util/machine.h"
#include "util/text.h"

namespace hearth::store {
namespace {

constexpr std::string_view kSchemeEnd = "://";
constexpr std::chrono::milliseconds kLongestStall{30'000};  // of one request

using Medium = std::unique_ptr<ObjectStore>;
using Opener = Result<Medium> (*)(std::string_view url, const OpenOptions& options,
                                  const std::shared_ptr<Meter>& meter);

std::function<void(std::uint64_t)> counting(const std::shared_ptr<Meter>& meter) {
  return [meter](std::uint64_t bytes) { meter->count_moved(bytes); };
}

Result<Medium> open_directory(const std::string& path, const std::shared_ptr<Meter>& meter) {
  LocalOptions options;
  options.on_moved = counting(meter);
  std::unique_ptr<LocalStore> store = TRY(LocalStore::open(path, options));
  return store;
}

// Behind "file://" stands a host, which must be this machine, and an absolute path.
Result<Medium> open_file_url(std::string_view url, const OpenOptions&, const std::shared_ptr<Meter>& meter) {
  constexpr std::string_view kThisMachine = "localhost";
  std::string_view rest = url.substr(url.find(kSchemeEnd) + kSchemeEnd.size());
  if (rest.starts_with(kThisMachine)) rest.remove_prefix(kThisMachine.size());
  if (!rest.starts_with('/')) {
    return fail(ErrorKind::invalid, "a file:// store needs an absolute path: file:///path/of/the/store");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return fail(ErrorKind::invalid, "a file:// store takes no '?' and no '#' (in a path: %3F and %23)");
  }
  const std::string path = TRY(within("the store's URL", util::percent_decode(rest)));
  if (path.find('\0') != std::string::npos) return fail(ErrorKind::invalid, "the store's path has a NUL byte");
  return open_directory(path, meter);
}

// Until it is there, or cannot be made.
template <class Store>
Result<void> create(Store& store) {
  const RetryPolicy policy;
  const RetryClock clock = RetryClock::real();
  return repeat(Patience(policy, clock), {}, [&store] { return store.create_bucket({}); });
}

Result<StoreUrl> parse_url(std::string_view url, const OpenOptions& options) {
  StoreUrl parsed = TRY(parse_store_url(url));
  if (options.stall.count() > 0) {
    const std::chrono::milliseconds own = std::min(options.stall / 2, kLongestStall);
    parsed.parameters.set_default("progress-timeout", fmt::format("{}ms", std::max<std::int64_t>(own.count(), 1)));
  }
  return parsed;
}

Result<Medium> open_s3(std::string_view url, const OpenOptions& options, const std::shared_ptr<Meter>& meter) {
  const auto environment = util::environment();
  StoreUrl parsed = TRY(parse_url(url, options));
  s3::S3Options own = TRY(s3::read_options(std::move(parsed), environment));
  own.http.verification = options.verification;
  own.http.on_moved = counting(meter);
  if (options.transfers > 0) own.transfers = options.transfers;
  auto store = std::make_unique<s3::S3Store>(own, s3::default_providers(environment, own.profile, own.region));
  if (options.create == Create::if_absent) TRY(create(*store));
  return store;
}

Result<Medium> open_azure(std::string_view url, const OpenOptions& options, const std::shared_ptr<Meter>& meter) {
  StoreUrl parsed = TRY(parse_url(url, options));
  azure::Configuration own = TRY(azure::read_options(std::move(parsed), util::environment()));
  own.options.http.verification = options.verification;
  own.options.http.on_moved = counting(meter);
  if (options.transfers > 0) own.options.transfers = options.transfers;
  auto store = std::make_unique<azure::AzureStore>(own.options, std::move(own.providers));
  if (options.create == Create::if_absent) TRY(create(*store));
  return store;
}

Result<Medium> open_swift(std::string_view url, const OpenOptions& options, const std::shared_ptr<Meter>& meter) {
  StoreUrl parsed = TRY(parse_url(url, options));
  swift::SwiftOptions own = TRY(swift::read_options(std::move(parsed), util::environment()));
  own.http.verification = options.verification;
  own.http.on_moved = counting(meter);
  if (options.transfers > 0) own.transfers = options.transfers;
  auto store = std::make_unique<swift::SwiftStore>(own);
  if (options.create == Create::if_absent) TRY(create(*store));
  return store;
}

Result<Medium> open_gcs(std::string_view url, const OpenOptions& options, const std::shared_ptr<Meter>& meter) {
  const auto environment = util::environment();
  StoreUrl parsed = TRY(parse_url(url, options));
  gcs::GcsOptions own = TRY(gcs::read_options(std::move(parsed), environment));
  own.http.verification = options.verification;
  own.http.on_moved = counting(meter);
  auto store = std::make_unique<gcs::GcsStore>(own, gcs::default_providers(environment, own.credentials));
  if (options.create == Create::if_absent) TRY(create(*store));
  return store;
}

struct Scheme {
  std::string_view name;
  Opener open;
};

constexpr std::array kSchemes{Scheme{"file", open_file_url}, Scheme{"s3", open_s3}, Scheme{"gs", open_gcs},
                              Scheme{"azblob", open_azure}, Scheme{"swift", open_swift}};

bool is_scheme(std::string_view text) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-'; };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

Result<Medium> open_medium(std::string_view url, const OpenOptions& options, const std::shared_ptr<Meter>& meter) {
  if (url.starts_with('/')) return open_directory(std::string(url), meter);
  const std::size_t end = url.find(kSchemeEnd);
  const std::string_view name = end == std::string_view::npos ? "" : url.substr(0, end);
  std::string known;
  for (const Scheme& scheme : kSchemes) {
    if (name == scheme.name) return scheme.open(url, options, meter);
    known += fmt::format("{}{}://", known.empty() ? "" : ", ", scheme.name);
  }
  // The URL is not repeated: it may hold a password.
  if (!is_scheme(name)) return fail(ErrorKind::invalid, "a store is an absolute path or a URL; known: {}", known);
  return fail(ErrorKind::invalid, "{}:// is not supported by this version; known: {}", name, known);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What the tier answers is no request, so it lies around the meter.
void add_tier(OpenStore& opened, const TierOptions& options, const std::shared_ptr<Meter>& meter) {
  if (const Result<void> ready = prepare_tier(options); !ready) {
    opened.warning = "It does without the tier: " + ready.error().message;
    return;
  }
  opened.store = std::make_unique<Tiered>(std::move(opened.store), options, meter);
}

}  // namespace

Result<OpenStore> open(std::string_view url, const OpenOptions& options) {
  auto meter = std::make_shared<Meter>();
  Medium medium = TRY(open_medium(url, options, meter));
  auto retrying = std::make_unique<Retrying>(std::move(medium), RetryPolicy{}, [meter] { meter->count_retry(); });
  OpenStore opened{std::make_unique<Metered>(std::move(retrying), meter), meter, {}};
  if (options.tier) add_tier(opened, *options.tier, meter);
  return opened;
}

Result<std::string> default_url() {
  constexpr std::string_view kBelow = "/hearth/store";
  // A relative value is to be ignored (XDG Base Directory Specification).
  const std::string data = environment("XDG_DATA_HOME");
  if (data.starts_with('/')) return fmt::format("file://{}{}", util::percent_encode_path(data), kBelow);
  const std::string home = environment("HOME");
  if (home.starts_with('/')) return fmt::format("file://{}/.local/share{}", util::percent_encode_path(home), kBelow);
  return fail(ErrorKind::invalid, "no place for the default store: neither XDG_DATA_HOME nor HOME is an absolute path");
}

}  // namespace hearth::store
