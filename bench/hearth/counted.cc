// hearth_counted save|restore DIR STORE: what `hearth cache save|restore DIR --app bench --store STORE` does. Prints
// how often it asked the store, and how many objects it read, as one JSON object: numbers that the command does not
// tell.
#include <set>

#include "cache/cache.h"
#include "store/open.h"
#include "util/machine.h"

namespace hearth::bench {

namespace {

// The stack that the command takes where none is named.
constexpr const char* kStack = "heroku-24";

// Passes everything on, and knows the objects that were read.
class Remembering : public store::ObjectStore {
 public:
  explicit Remembering(store::ObjectStore& inner) : inner_(inner) {}
  std::size_t objects() const { return keys_.size(); }

  Result<store::Object> get(const store::Key& key, store::ByteRange range, std::stop_token stop) override {
    {
      const std::lock_guard lock(mutex_);
      keys_.insert(key);
    }
    return inner_.get(key, range, std::move(stop));
  }
  Result<store::Version> put(const store::Key& key, store::Body body, const store::Condition& condition,
                             std::stop_token stop) override {
    return inner_.put(key, body, condition, std::move(stop));
  }
  Result<store::ObjectInfo> stat(const store::Key& key, std::stop_token stop) override {
    return inner_.stat(key, std::move(stop));
  }
  Result<void> list(const store::Prefix& prefix, const Visitor& visit, std::stop_token stop) override {
    return inner_.list(prefix, visit, std::move(stop));
  }
  Result<void> remove(const store::Key& key, std::stop_token stop) override {
    return inner_.remove(key, std::move(stop));
  }
  store::CompareAndSwap compare_and_swap() const override { return inner_.compare_and_swap(); }
  std::string description() const override { return inner_.description(); }

 private:
  store::ObjectStore& inner_;
  std::mutex mutex_;
  std::set<store::Key> keys_;
};

Result<void> run(std::span<char*> arguments) {
  const std::string_view what = arguments.size() == 4 ? arguments[1] : "";
  if (what != "save" && what != "restore") {
    return fail(ErrorKind::invalid, "use: hearth_counted save|restore DIR STORE");
  }
  const std::filesystem::path directory = arguments[2];
  const std::filesystem::path index = cache::index_path(directory);
  const cache::Name name{.app = "bench", .stack = kStack, .arch = util::architecture()};
  const store::OpenStore opened = TRY(store::open(arguments[3]));
  Remembering remembering(*opened.store);
  if (what == "save") {
    const auto outcome = cache::save(remembering, name, directory, index, {}, {}).outcome;
    if (outcome != cache::SaveOutcome::saved && outcome != cache::SaveOutcome::unchanged) {
      return fail(ErrorKind::io, "the save ended as {}", cache::name(outcome));
    }
  } else {
    const auto outcome = cache::restore(remembering, name, directory, index, {}, {}).outcome;
    if (outcome != cache::RestoreOutcome::hit) {
      return fail(ErrorKind::io, "the restore ended as {}", cache::name(outcome));
    }
  }
  const store::MeterReading::Requests asked = opened.meter->read().requests;
  fmt::print(R"({{"get": {}, "put": {}, "list": {}, "stat": {}, "remove": {}, "objects": {}}})"
             "\n",
             asked.get, asked.put, asked.list, asked.stat, asked.remove, remembering.objects());
  return {};
}

}  // namespace

}  // namespace hearth::bench

int main(int argc, char** argv) {
  const hearth::Result<void> result = hearth::bench::run({argv, static_cast<std::size_t>(argc)});
  if (!result) fmt::print(stderr, "hearth_counted: {}\n", result.error().message);
  return result ? 0 : 1;
}
