// Config vars as a file, and the mask that hides their values: up to the first NUL the file, behind it what is logged.
#include "build/config_vars.h"

#include "build/mask.h"
#include "fuzz/fuzz.h"
#include "util/file.h"

namespace hearth::fuzz {
namespace {

namespace fs = std::filesystem;

build::ConfigVars read(std::string_view text) {
  static const util::TempDir folder =
      util::TempDir::create(fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path(), "hearth-fuzz-")
          .value();
  const fs::path file = folder.path() / "env";
  expect(util::write_file(file, text).has_value(), "the file is written");
  return build::read_config_vars({.directory = {}, .file = file, .assignments = {}}).value_or(build::ConfigVars());
}

void expect_hidden(const std::vector<std::string>& secrets, std::string_view log) {
  build::Masker masker(secrets);
  const std::string whole = masker.mask(log);
  for (std::size_t piece = 1; piece < 20; piece += 6) {
    std::string out;
    for (std::size_t at = 0; at < log.size(); at += piece) out += masker.feed(log.substr(at, piece));
    out += masker.flush();
    expect(out == whole, "it is masked wherever it is cut");
  }
  for (const std::string& secret : secrets) {
    const bool of_stars = secret.find_first_not_of('*') == std::string::npos;
    // Two masks and what is between them may look like a secret of stars.
    expect(of_stars || secret.contains('*') || !whole.contains(secret), "no secret is shown");
  }
}

const Registration kTarget("config_vars", [](Bytes input) {
  const std::string_view text = text_of(input);
  const auto end = text.find('\0');
  const build::ConfigVars vars = read(text.substr(0, end));
  for (const auto& [name, value] : vars) {
    expect(build::check_config_var(name, value, "here").has_value(), "what was read was checked");
  }
  const std::vector<std::string> secrets = build::secrets_of(vars);
  if (end != std::string_view::npos) expect_hidden(secrets, text.substr(end + 1));
});

}  // namespace
}  // namespace hearth::fuzz
