#include "cli/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <span>

// toml++; its exceptions end here.
#include <toml++/toml.h>

#include "util/file.h"
#include "util/text.h"

namespace hearth::cli {

namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 20;
constexpr std::string_view kEnvironment = "environment";
constexpr std::string_view kConfigVars = "env";  // --env

using Kind = FileSetting::Kind;

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  Result<ConfigFile> read(const toml::table& document) {
    for (const auto& [key, node] : document) {
      const toml::table* table = node.as_table();
      if (table == nullptr) {
        TRY(add("", key.str(), node));
      } else if (key.str() == kEnvironment) {
        TRY(add_environment(*table));
      } else {
        file_.tables.emplace(key.str(), place(node));
        for (const auto& [inner, value] : *table) TRY(add(std::string(key.str()), inner.str(), value));
      }
    }
    return std::move(file_);
  }

 private:
  std::string place(const toml::node& node) const { return fmt::format("{}:{}", name_, node.source().begin.line); }

  template <class... Args>
  std::unexpected<Error> refuse(const toml::node& node, std::string_view key, fmt::format_string<Args...> format,
                                Args&&... args) const {
    return fail(ErrorKind::invalid, "{}: {} {}", place(node), util::shown(key),
                fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> add(std::string table, std::string_view key, const toml::node& node) {
    FileSetting setting{
        .table = std::move(table), .key = std::string(key), .kind = Kind::text, .values = {}, .place = place(node)};
    if (node.is_table()) {
      return refuse(node, key, "is a table in a table; that of a command of two words is written [cache-save]");
    }
    if (const auto* number = node.as_integer()) {
      setting.kind = Kind::number;
      setting.values = {std::to_string(number->get())};
    } else if (const auto* truth = node.as_boolean()) {
      setting.kind = Kind::truth;
      setting.values = {truth->get() ? "true" : "false"};
    } else if (const toml::array* list = node.as_array()) {
      setting.kind = Kind::list;
      for (const toml::node& item : *list) {
        std::string value = TRY(text(item, key));
        setting.values.push_back(std::move(value));
      }
    } else {
      std::string value = TRY(text(node, key));
      setting.values.push_back(std::move(value));
    }
    file_.settings.push_back(std::move(setting));
    return {};
  }

  Result<std::string> text(const toml::node& node, std::string_view key) const {
    const auto* string = node.as_string();
    if (string == nullptr)
      return refuse(node, key, "must be text in quotes, a whole number, true, false, or a list of texts");
    if (string->get().contains('\0')) return refuse(node, key, "has a NUL byte");
    return string->get();
  }

  Result<void> add_environment(const toml::table& table) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
      if (name.empty() || name.find_first_not_of(kAllowed) != std::string::npos) {
        return refuse(node, name, "is no name of a variable");
      }
      if (name.starts_with("HEARTH_"))
        return refuse(node, name, "is a setting; write it as one, outside of [environment]");
      if (!node.is_string()) return refuse(node, name, "must be text in quotes");
      std::string value = TRY(text(node, name));
      file_.environment.emplace(name, std::move(value));
    }
    return {};
  }

  const std::string& name_;
  ConfigFile file_;
};

bool holds_secrets(const ConfigFile& file) {
  return !file.environment.empty() ||
         std::ranges::any_of(file.settings, [](const FileSetting& setting) { return setting.key == kConfigVars; });
}

}  // namespace

Result<ConfigFile> parse_config_file(std::string_view text, const std::string& name) {
  try {
    return Reader(name).read(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return fail(ErrorKind::invalid, "{}:{}: {}", name, error.source().begin.line, error.description());
  }
}

Result<ConfigFile> read_config_file(const std::filesystem::path& path) {
  const util::Fd fd = TRY(util::open_file(path, O_RDONLY));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, path.native());
  std::string text(kLargestFile + 1, '\0');
  const std::size_t bytes =
      TRY(within(path.native(), util::read_full(fd.get(), std::as_writable_bytes(std::span(text)))));
  if (bytes > kLargestFile)
    return fail(ErrorKind::invalid, "{} is larger than a file of settings may be (1 MiB)", path.native());
  text.resize(bytes);
  ConfigFile file = TRY(parse_config_file(text, path.native()));
  if ((status.st_mode & S_IWOTH) != 0) file.warnings.push_back(fmt::format("others may change {}", path.native()));
  if ((status.st_mode & S_IROTH) != 0 && holds_secrets(file)) {
    file.warnings.push_back(fmt::format("{0} holds secrets, and others may read it: chmod o-r {0}", path.native()));
  }
  return file;
}

}  // namespace hearth::cli
