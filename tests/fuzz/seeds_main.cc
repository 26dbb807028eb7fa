// fuzz_seeds DIR TARGET…: writes the seeds of each target to DIR/TARGET.
#include <cstdio>
#include <filesystem>

#include "fuzz/seeds.h"
#include "util/file.h"

int main(int count, char** arguments) {
  for (int i = 2; i < count; ++i) {
    const std::filesystem::path folder = std::filesystem::path(arguments[1]) / arguments[i];
    std::filesystem::create_directories(folder);
    for (const auto& [name, input] : hearth::fuzz::seeds(arguments[i])) {
      if (const auto written = hearth::util::write_file(folder / name, input); !written) {
        std::fprintf(stderr, "%s\n", written.error().message.c_str());
        return 1;
      }
    }
  }
  return 0;
}
