// What the doctor's readings mean.
#include <algorithm>
#include <array>
#include <charconv>

#include "build/doctor.h"
#include "util/text.h"

namespace hearth::build {

namespace {

constexpr std::uint64_t kLeastFree = std::uint64_t{200} * 1000 * 1000;
constexpr std::uint64_t kComfortable = std::uint64_t{5} * 1000 * 1000 * 1000;
constexpr std::uint64_t kComfortableInodes = 100'000;

struct FileSystem {
  std::uint64_t type;
  std::string_view name;
  Health health;
  std::string_view why;  // not good
};

// statfs(2) lists the numbers.
constexpr std::array kFileSystems = {
    FileSystem{0xEF53, "ext4", Health::good, ""},
    FileSystem{0x58465342, "xfs", Health::good, ""},
    FileSystem{0x9123683E, "btrfs", Health::good, ""},
    FileSystem{0x2FC12FC1, "zfs", Health::good, ""},
    FileSystem{0xF2F52010, "f2fs", Health::good, ""},
    FileSystem{0x794C7630, "overlayfs", Health::good, ""},
    FileSystem{0x01021994, "tmpfs", Health::worry, "what builds write there takes memory"},
    FileSystem{0x858458F6, "ramfs", Health::worry, "what builds write there takes memory, without a limit"},
    FileSystem{0x6969, "NFS", Health::worry, "it is slow with many small files, and may not let root change owners"},
    FileSystem{0xFF534D42, "CIFS", Health::worry, "it lacks owners and links that builds need"},
    FileSystem{0xFE534D42, "SMB", Health::worry, "it lacks owners and links that builds need"},
    FileSystem{0x65735546, "FUSE", Health::worry, "it is slow with many small files"},
    FileSystem{0x01021997, "9p", Health::worry, "it is slow with many small files"},
    FileSystem{0x4D44, "FAT", Health::bad, "it has neither owners nor links"},
};

}  // namespace

std::vector<Diagnosis> judge_file_system(const std::string& path, const FileSystemFacts& facts) {
  std::vector<Diagnosis> diagnoses;
  const auto known = std::ranges::find(kFileSystems, facts.type, &FileSystem::type);
  const std::string type =
      known == kFileSystems.end() ? fmt::format("file system 0x{:x}", facts.type) : std::string(known->name);
  const std::string space =
      fmt::format("{} free of {}", util::human_size(facts.free_bytes), util::human_size(facts.total_bytes));
  Diagnosis disk{"disk", Health::good, fmt::format("{} in {}", space, path), {}};
  if (facts.free_bytes < kComfortable) {
    disk.health = facts.free_bytes < kLeastFree ? Health::bad : Health::worry;
    disk.remedy = "free space, or name a larger disk with --work: source, build, cache and slug lie there";
  }
  diagnoses.push_back(std::move(disk));
  if (facts.inodes > 0 && facts.free_inodes < kComfortableInodes) {
    diagnoses.push_back({"disk", Health::worry, fmt::format("{} inodes are left in {}", facts.free_inodes, path),
                         "remove files, or name another disk with --work: a cache may hold hundreds of thousands"});
  }
  Diagnosis system{"file system", Health::good, type, {}};
  if (known != kFileSystems.end() && known->health != Health::good) {
    system = {"file system", known->health, fmt::format("{}: {}", type, known->why),
              "name a directory on a local disk with --work"};
  }
  diagnoses.push_back(std::move(system));
  if (facts.no_exec) {
    diagnoses.push_back({"file system", Health::bad, fmt::format("{} is mounted noexec: no buildpack can run", path),
                         "mount it without noexec, or name another directory with --work"});
  }
  return diagnoses;
}

std::optional<std::pair<int, int>> git_version(std::string_view output) {
  constexpr std::string_view kBegin = "git version ";
  const std::size_t at = output.find(kBegin);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view text = output.substr(at + kBegin.size());
  std::pair<int, int> version;
  const auto major = std::from_chars(text.data(), text.data() + text.size(), version.first);
  if (major.ec != std::errc() || major.ptr == text.data() + text.size() || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, text.data() + text.size(), version.second);
  if (minor.ec != std::errc()) return std::nullopt;
  return version;
}

}  // namespace hearth::build
