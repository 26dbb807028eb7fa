#include "build/build_folders.h"

#include <algorithm>

#include "util/text.h"

namespace hearth::build {

namespace {

constexpr std::string_view kTimeForm = "00000000T000000Z";

std::string folder(std::string_view app) {
  return fmt::format("apps/{}/builds/", util::percent_encode(app));
}

bool begins_with_time(std::string_view build) {
  const auto fits = [](char character, char form) {
    return form == '0' ? character >= '0' && character <= '9' : character == form;
  };
  return std::ranges::equal(build.substr(0, kTimeForm.size()), kTimeForm, fits);
}

}  // namespace

Result<store::Key> build_key(std::string_view app, std::string_view build, std::string_view file) {
  return store::Key::parse(fmt::format("{}{}/{}", folder(app), build, file));
}

Result<BuildFolders> list_builds(store::ObjectStore& store, std::string_view app, std::stop_token stop) {
  const store::Prefix prefix = TRY(store::Prefix::parse(folder(app)));
  BuildFolders folders;
  const auto visit = [&](const store::ObjectInfo& object) -> Result<void> {
    const std::string_view rest = std::string_view(object.key.text()).substr(prefix.text().size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    folders[std::string(rest.substr(0, slash))].emplace(rest.substr(slash + 1), object);
    return {};
  };
  TRY(store.list(prefix, visit, std::move(stop)));
  return folders;
}

bool is_published(const BuildFiles& files) {
  return files.contains(kSlugName) && files.contains(kProcfileName);
}

std::optional<std::chrono::sys_seconds> time_of_build(std::string_view build) {
  if (!begins_with_time(build)) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (const char digit : build.substr(at, length)) value = value * 10 + (digit - '0');
    return value;
  };
  const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(6, 2))));
  if (!day.ok()) return std::nullopt;
  return std::chrono::sys_days(day) + std::chrono::hours(number(9, 2)) + std::chrono::minutes(number(11, 2)) +
         std::chrono::seconds(number(13, 2));
}

Result<std::string> get_text(store::ObjectStore& store, const store::Key& key, std::stop_token stop) {
  const store::Object object = TRY(store.get(key, {0, kLargestText}, std::move(stop)));
  if (object.info.size > kLargestText) {
    return fail(ErrorKind::invalid, "{} is larger than {} bytes", key.text(), kLargestText);
  }
  return std::string(reinterpret_cast<const char*>(object.bytes.data()), object.bytes.size());
}

}  // namespace hearth::build
