// hearth completion, hearth man: what shells and readers are told of the command line, from its definition.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/command.h"
#include "cli/command_tree.h"
#include "cli/completion.h"
#include "cli/exit_code.h"
#include "cli/man.h"
#include "cli/options.h"
#include "util/file.h"
#include "util/text.h"

#ifndef HEARTH_VERSION
#error "HEARTH_VERSION comes from the build system"
#endif

namespace hearth::cli {

namespace {

constexpr const char* kCompletionExamples = R"(Examples:
  source <(hearth completion bash)
  hearth completion zsh > ~/.zsh/completions/_hearth
  hearth completion fish > ~/.config/fish/completions/hearth.fish

An installation (cmake --install) has put them where the shells look.)";

constexpr const char* kManExamples = R"(Examples:
  hearth man | man -l -
  hearth man cache save | man -l -
  hearth man --directory /usr/local/share/man/man1)";

struct ManFlags {
  std::vector<std::string> command;
  std::string directory;
};

struct Page {
  std::string name;
  std::string text;
};

int print(const std::string& text) {
  // Whoever closed our standard output does not want to know.
  std::ignore = util::write_full(STDOUT_FILENO, text);
  return static_cast<int>(ExitCode::success);
}

int write_pages(const std::string& directory, const std::vector<Page>& pages) {
  Result<void> written = util::make_directories(directory);
  for (const Page& page : pages) {
    if (written) written = util::write_file(std::filesystem::path(directory) / (page.name + ".1"), page.text);
  }
  if (written) return static_cast<int>(ExitCode::success);
  complain(written.error().message);
  return static_cast<int>(ExitCode::internal);
}

const CommandEntry& find(const CommandEntry& root, const std::vector<std::string>& words) {
  const CommandEntry* command = &root;
  for (const std::string& word : words) {
    const auto below = std::ranges::find(command->below, word, &CommandEntry::name);
    if (below == command->below.end()) throw UsageError(fmt::format("\"{}\" is no command of hearth", word));
    command = &*below;
  }
  return *command;
}

// The definition is there while the line is checked, and gone when the command runs.
void prepare_man(const CLI::App& root, const ManFlags& flags, Invocation& invocation) {
  const CommandEntry tree = describe(root);
  if (flags.directory.empty()) {
    invocation.run = [text = man_page(find(tree, flags.command), HEARTH_VERSION)](const Session&) {
      return print(text);
    };
    return;
  }
  if (!flags.command.empty()) throw UsageError("man --directory writes all pages; it takes no COMMAND");
  std::vector<Page> pages;
  for (const CommandEntry* command : all_commands(tree)) {
    pages.push_back({man_page_name(*command), man_page(*command, HEARTH_VERSION)});
  }
  invocation.run = [directory = flags.directory, pages](const Session&) { return write_pages(directory, pages); };
}

}  // namespace

void define_completion(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("completion", "Print a shell's completion script: completion bash|zsh|fish");
  command->footer(kCompletionExamples);
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "The shell")->type_name("bash|zsh|fish");
  command->final_callback([&root, &invocation, shell] {
    invocation.check = [&root, &invocation, shell] {
      for (const auto& [name, which] : {std::pair{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}}) {
        if (*shell != name) continue;
        invocation.run = [text = completion_script(which, describe(root))](const Session&) { return print(text); };
        return;
      }
      throw UsageError(shell->empty() ? "completion needs a SHELL: bash, zsh or fish"
                                      : fmt::format("there are no completions for \"{}\", but for bash, zsh and fish",
                                                    util::shown(*shell)));
    };
  });
}

void define_man(CLI::App& root, Invocation& invocation) {
  CLI::App* command = root.add_subcommand("man", "Print a man page: man [COMMAND...]");
  command->footer(kManExamples);
  auto flags = std::make_shared<ManFlags>();
  auto options = std::make_shared<Options>(*command, invocation.environment);
  command->add_option("COMMAND", flags->command, "The command, such as: cache save (default: hearth itself)");
  options->text("--directory", flags->directory, "Write the pages of all commands here instead, a file each")
      ->type_name("DIR");
  command->final_callback([&root, &invocation, flags, options] {
    invocation.check = [&root, &invocation, flags, options] {
      options->finish();
      prepare_man(root, *flags, invocation);
    };
  });
}

}  // namespace hearth::cli
