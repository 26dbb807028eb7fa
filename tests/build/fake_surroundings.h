// A build without a sandbox: what buildpacks would do is a function, and the store is in memory.
#pragma once

#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "build/surroundings.h"
#include "store/memory_store.h"
#include "store/metered.h"

namespace hearth::build {

struct Call {
  std::string program;  // "detect", "compile", "release", "report", or the hook's name
  std::string folder;   // the buildpack's folder
  std::map<std::string, std::string> environment;
  std::filesystem::path build, cache, env;  // as far as they were handed over
  const sandbox::Sink& out;
  const sandbox::Sink& err;
  std::stop_token stop;
};

// Plays one program of a buildpack; an error is one of the sandbox.
using Script = std::function<Result<sandbox::Exit>(const Call&)>;

class FakeSandbox : public sandbox::Sandbox {
 public:
  explicit FakeSandbox(Script script) : script_(std::move(script)) {}

  Result<sandbox::Exit> run(const sandbox::Command& command, const sandbox::Sink& on_stdout,
                            const sandbox::Sink& on_stderr, std::stop_token stop) override {
    if (stop.stop_requested()) return sandbox::Exit{.code = 143, .signal = 15, .stopped = true};
    // The last argument that names a program is it; directories follow it.
    std::size_t at = command.argv.size();
    while (at > 0 && !command.argv[at - 1].contains("/bin/")) --at;
    const std::filesystem::path program = command.argv.at(at == 0 ? 0 : at - 1);
    const auto argument = [&](std::size_t i) { return at + i < command.argv.size() ? command.argv[at + i] : ""; };
    const Call call{program.filename(),
                    program.parent_path().parent_path().filename(),
                    {command.environment.begin(), command.environment.end()},
                    argument(0),
                    argument(1),
                    argument(2),
                    on_stdout,
                    on_stderr ? on_stderr : on_stdout,
                    stop};
    sandbox::Exit exit = TRY(script_(call));
    exit.stopped = exit.stopped || stop.stop_requested();
    return exit;
  }
  std::filesystem::path inside(const std::filesystem::path& host) const override { return host; }
  sandbox::Level level() const override { return sandbox::Level::plain; }
  uid_t owner() const override { return ::geteuid(); }
  std::string warning() const override { return {}; }

 private:
  Script script_;
};

// Passes on to a store that the test owns.
class Borrowed : public store::ObjectStore {
 public:
  explicit Borrowed(store::ObjectStore& inner) : inner_(inner) {}
  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override {
    return inner_.get(key, range, stop);
  }
  Result<store::Version> put(const store::Key& key, store::Body body, const store::Condition& condition,
                             std::stop_token stop) override {
    return inner_.put(key, body, condition, stop);
  }
  Result<store::ObjectInfo> stat(const store::Key& key, std::stop_token stop) override {
    return inner_.stat(key, stop);
  }
  Result<void> list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) override {
    return inner_.list(prefix, visit, stop);
  }
  Result<void> remove(const store::Key& key, std::stop_token stop) override { return inner_.remove(key, stop); }
  store::CompareAndSwap compare_and_swap() const override { return inner_.compare_and_swap(); }
  std::string description() const override { return inner_.description(); }

 private:
  store::ObjectStore& inner_;
};

inline Surroundings fake_surroundings(store::ObjectStore& store, const Script& script,
                                      std::chrono::system_clock::time_point now) {
  return {.open_store = [&store](std::string_view, const store::OpenOptions&) -> Result<store::OpenStore> {
            const auto meter = std::make_shared<store::Meter>();
            return store::OpenStore{
                std::make_unique<store::Metered>(std::make_unique<Borrowed>(store), meter), meter, {}};
          },
          .open_sandbox = [script](std::optional<sandbox::Level>, const sandbox::Config&)
              -> Result<std::unique_ptr<sandbox::Sandbox>> { return std::make_unique<FakeSandbox>(script); },
          .now = [now] { return now; },
          .start_saver = [](const SaverInput&) -> Result<void> { return fail(ErrorKind::io, "no saver in tests"); }};
}

}  // namespace hearth::build
