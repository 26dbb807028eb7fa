#include "sandbox/tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include <charconv>
#include <map>
#include <memory>
#include <optional>

#include "util/file.h"
#include "util/text.h"

namespace hearth::sandbox {

namespace {

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<pid_t> all_processes() {
  const auto close_directory = [](DIR* dir) { ::closedir(dir); };
  const std::unique_ptr<DIR, decltype(close_directory)> dir(::opendir("/proc"), close_directory);
  std::vector<pid_t> found;
  if (!dir) return found;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (const auto pid = parse<pid_t>(entry->d_name)) found.push_back(*pid);
  }
  return found;
}

// The third field after the name in /proc/PID/stat, which is in parentheses and may contain anything.
std::optional<pid_t> parent_of(pid_t pid) {
  const auto stat = util::read_file(fmt::format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  const std::size_t after_name = stat->rfind(") ");
  if (after_name == std::string::npos) return std::nullopt;
  const auto fields = util::split(std::string_view(*stat).substr(after_name + 2), ' ');
  return fields.size() < 2 ? std::nullopt : parse<pid_t>(fields[1]);
}

std::uint64_t threads_in(pid_t pid) {
  const auto status = util::read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return 0;
  for (const std::string_view line : util::split(*status, '\n')) {
    if (line.starts_with("Threads:")) return parse<std::uint64_t>(util::trim(line.substr(8))).value_or(1);
  }
  return 1;
}

}  // namespace

std::vector<pid_t> descendants(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (const auto parent = parent_of(pid)) children.emplace(*parent, pid);
  }
  std::vector<pid_t> found{root};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = children.equal_range(found[i]);
    for (auto child = first; child != last; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

void signal_descendants(pid_t root, int number) {
  for (const pid_t pid : descendants(root)) ::kill(pid, number);
}

std::uint64_t threads_of(uid_t user) {
  std::uint64_t count = 0;
  for (const pid_t pid : all_processes()) {
    struct stat status{};
    if (::stat(fmt::format("/proc/{}", pid).c_str(), &status) == 0 && status.st_uid == user) count += threads_in(pid);
  }
  return count;
}

}  // namespace hearth::sandbox
