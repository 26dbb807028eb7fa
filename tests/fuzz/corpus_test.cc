// The kept corpora and the seeds, once through their targets: what a fuzzer once reached stays tested without it.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/fuzz.h"
#include "fuzz/seeds.h"
#include "util/file.h"

namespace hearth::fuzz {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = HEARTH_SOURCE_DIR "/tests/fuzz/corpus";

void run(const Target& target, std::string_view input) {
  target(std::as_bytes(std::span(input)));
}

class Corpus : public ::testing::TestWithParam<std::string> {};

TEST_P(Corpus, RunsWithoutAFinding) {
  const Target& target = targets().at(GetParam());
  run(target, "");
  for (const auto& [name, seed] : seeds(GetParam())) run(target, seed);
  std::size_t inputs = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kCorpus / GetParam())) {
    const Result<std::string> input = util::read_file(entry.path());
    ASSERT_TRUE(input.has_value());
    run(target, *input);
    ++inputs;
  }
  EXPECT_GT(inputs, 0U) << "tests/fuzz/run --keep makes a corpus";
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, target] : targets()) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, Corpus, ::testing::ValuesIn(names()), [](const auto& chosen) { return chosen.param; });

TEST(Corpus, BelongsToATarget) {
  for (const fs::directory_entry& entry : fs::directory_iterator(kCorpus)) {
    EXPECT_TRUE(targets().contains(entry.path().filename().native())) << entry.path();
  }
}

}  // namespace
}  // namespace hearth::fuzz
