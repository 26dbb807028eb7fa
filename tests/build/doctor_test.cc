#include "build/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_surroundings.h"
#include "support/faulty_store.h"
#include "util/file.h"

namespace hearth::build {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kGigabyte = 1'000'000'000;
constexpr std::uint64_t kExt4 = 0xEF53;

FileSystemFacts roomy() {
  return {.type = kExt4,
          .free_bytes = 100 * kGigabyte,
          .total_bytes = 200 * kGigabyte,
          .free_inodes = 1'000'000,
          .inodes = 2'000'000,
          .no_exec = false};
}

Health worst(const std::vector<Diagnosis>& diagnoses) {
  Health worst = Health::good;
  for (const Diagnosis& diagnosis : diagnoses) worst = std::max(worst, diagnosis.health);
  return worst;
}

TEST(FileSystem, OneWithRoomIsGood) {
  const std::vector<Diagnosis> diagnoses = judge_file_system("/work", roomy());
  EXPECT_EQ(worst(diagnoses), Health::good);
  EXPECT_EQ(diagnoses.front().detail, "100 GB free of 200 GB in /work");
  EXPECT_EQ(diagnoses.back().detail, "ext4");
}

TEST(FileSystem, WhatIsAlmostFullIsTold) {
  FileSystemFacts facts = roomy();
  facts.free_bytes = 2 * kGigabyte;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::worry);
  facts.free_bytes = 1'000'000;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::bad);
  facts = roomy();
  facts.free_inodes = 10;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::worry);
  facts.inodes = 0;
  facts.free_inodes = 0;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::good) << "btrfs does not count them";
}

TEST(FileSystem, WhatCannotHoldABuildIsTold) {
  FileSystemFacts facts = roomy();
  facts.no_exec = true;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::bad);
  facts = roomy();
  facts.type = 0x4D44;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::bad);
  facts.type = 0x01021994;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::worry);
  facts.type = 0x1234;
  EXPECT_EQ(worst(judge_file_system("/work", facts)), Health::good);
  EXPECT_EQ(judge_file_system("/work", facts).back().detail, "file system 0x1234");
}

TEST(GitVersion, IsReadFromWhatGitSays) {
  EXPECT_EQ(git_version("git version 2.39.5\n"), std::pair(2, 39));
  EXPECT_EQ(git_version("warning: x\ngit version 2.9.windows.1"), std::pair(2, 9));
  for (const char* none : {"", "git", "git version", "git version x.1", "git version 2", "git version 2."}) {
    EXPECT_FALSE(git_version(none)) << none;
  }
}

class DoctorTest : public testing::Test {
 protected:
  DoctorReport look(const Script& script) {
    options_.work_root = temp_.path() / "work";
    options_.store_url = "memory";
    return examine(options_, fake_surroundings(faulty_, script, std::chrono::system_clock::now()), {});
  }

  static const Diagnosis* find(const DoctorReport& report, std::string_view subject) {
    const auto found = std::ranges::find(report.diagnoses, subject, &Diagnosis::subject);
    return found == report.diagnoses.end() ? nullptr : &*found;
  }

  util::TempDir temp_ = std::move(util::TempDir::create(testing::TempDir(), "doctor-").value());
  store::MemoryStore memory_;
  support::FaultyStore faulty_{memory_};
  DoctorOptions options_;
};

sandbox::Exit well(const Call& call) {
  call.out("git version 2.39.5\n");
  return {};
}

TEST_F(DoctorTest, AWellMachineIsUsableAndNothingStaysInTheStore) {
  const DoctorReport report = look(well);
  EXPECT_TRUE(report.machine_usable);
  EXPECT_TRUE(report.store_usable);
  for (const char* subject :
       {"disk", "file system", "sandbox bwrap", "sandbox uid", "network", "git", "store", "clock"}) {
    EXPECT_NE(find(report, subject), nullptr) << subject;
  }
  std::size_t left = 0;
  const auto count = [&left](const store::ObjectInfo&) -> Result<void> {
    ++left;
    return {};
  };
  ASSERT_TRUE(memory_.list({}, count, {}).has_value());
  EXPECT_EQ(left, 0U);
}

TEST_F(DoctorTest, AnOldGitIsAWorry) {
  const DoctorReport report = look([](const Call& call) -> sandbox::Exit {
    call.out("git version 2.20.1\n");
    return {};
  });
  EXPECT_TRUE(report.machine_usable);
  EXPECT_EQ(find(report, "git")->health, Health::worry);
  EXPECT_THAT(find(report, "git")->remedy, HasSubstr("2.32"));
}

TEST_F(DoctorTest, WithoutAShellNothingCanBeBuilt) {
  const DoctorReport report = look([](const Call& call) -> sandbox::Exit {
    call.out("No such file or directory\n");
    return {.code = 127};
  });
  EXPECT_FALSE(report.machine_usable);
  EXPECT_EQ(find(report, "shell")->health, Health::bad);
}

TEST_F(DoctorTest, WithoutAnySandboxNothingCanBeBuilt) {
  options_.work_root = temp_.path() / "work";
  options_.store_url = "memory";
  Surroundings surroundings = fake_surroundings(faulty_, well, std::chrono::system_clock::now());
  surroundings.open_sandbox = [](std::optional<sandbox::Level> level,
                                 const sandbox::Config&) -> Result<std::unique_ptr<sandbox::Sandbox>> {
    return fail(ErrorKind::denied, "no {} here", sandbox::name(level.value()));
  };
  const DoctorReport report = examine(options_, surroundings, {});
  EXPECT_FALSE(report.machine_usable);
  EXPECT_TRUE(report.store_usable) << "it is looked at all the same";
  EXPECT_EQ(report.sandbox, "");
  EXPECT_EQ(find(report, "sandbox bwrap")->health, Health::bad);
  EXPECT_EQ(find(report, "sandbox uid")->health, Health::bad);
  EXPECT_NE(find(report, "sandbox uid")->remedy, "");
}

TEST_F(DoctorTest, AWorseLevelThatCannotBeHadIsNoWorry) {
  options_.work_root = temp_.path() / "work";
  options_.store_url = "memory";
  Surroundings surroundings = fake_surroundings(faulty_, well, std::chrono::system_clock::now());
  const auto open = surroundings.open_sandbox;
  surroundings.open_sandbox = [&open](std::optional<sandbox::Level> level,
                                      const sandbox::Config& config) -> Result<std::unique_ptr<sandbox::Sandbox>> {
    if (level == sandbox::Level::uid) return fail(ErrorKind::denied, "needs root");
    return open(level, config);
  };
  const DoctorReport report = examine(options_, surroundings, {});
  EXPECT_TRUE(report.machine_usable);
  EXPECT_EQ(find(report, "sandbox uid")->health, Health::unneeded);
  EXPECT_EQ(find(report, "sandbox uid")->remedy, "");
}

TEST_F(DoctorTest, AStoreThatRefusesIsBad) {
  faulty_.die_after(0, support::LastMutation::lost);
  const DoctorReport report = look(well);
  EXPECT_TRUE(report.machine_usable);
  EXPECT_FALSE(report.store_usable);
  EXPECT_EQ(find(report, "store")->health, Health::bad);
}

TEST_F(DoctorTest, AWorkDirectoryOfSomebodyElseIsBad) {
  ASSERT_TRUE(util::write_file(temp_.path() / "work", "a file").has_value());
  const DoctorReport report = look(well);
  EXPECT_FALSE(report.machine_usable);
  EXPECT_EQ(find(report, "work directory")->health, Health::bad);
}

}  // namespace
}  // namespace hearth::build
