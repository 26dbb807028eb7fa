// hearth_limits stat|hash|create|difference|read …: what the machine can do, for the benchmark to compare with.
// Prints one JSON object; "seconds" is the part that counts, without what is loaded into memory before it.
// generate and generate-file make what is measured, and print nothing.
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "limits/tree.h"
#include "util/file.h"

namespace hearth::bench {

namespace {

enum class Digesting { no, sha256 };

constexpr std::size_t kPiece = 256 << 10;

double seconds_of(const std::function<Result<void>()>& work, Result<void>& result) {
  const auto begin = std::chrono::steady_clock::now();
  result = work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Result<void> timed(const std::function<Result<void>()>& work) {
  Result<void> result;
  const double seconds = seconds_of(work, result);
  TRY(result);
  fmt::print("{{\"seconds\": {:.6f}}}\n", seconds);
  return {};
}

Result<void> read_one(int root, const Node& node, Digesting digesting) {
  thread_local std::vector<std::byte> buffer(kPiece);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                                     &EVP_MD_CTX_free);
  const util::Fd fd(::openat(root, node.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno(errno, node.path);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (auto left = static_cast<std::size_t>(node.status.st_size); left > 0;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return fail_errno(errno, node.path);
    if (got == 0) break;
    if (digesting == Digesting::sha256) EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(got));
    left -= std::min(left, static_cast<std::size_t>(got));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  return {};
}

// Walks and reads everything, in all cores' threads.
Result<void> read_all(const std::filesystem::path& root, Digesting digesting) {
  const util::Fd fd = TRY(util::open_file(root, O_PATH | O_DIRECTORY));
  std::vector<Node> nodes = TRY(walk(root));
  std::erase_if(nodes, [](const Node& node) { return !S_ISREG(node.status.st_mode); });
  return for_each(nodes.size(), [&](std::size_t i) { return read_one(fd.get(), nodes[i], digesting); });
}

Result<void> create(const std::filesystem::path& source, const std::filesystem::path& target) {
  const std::vector<Loaded> entries = TRY(load(source));
  std::vector<const Loaded*> all;
  for (const Loaded& entry : entries) all.push_back(&entry);
  return timed([&]() -> Result<void> {
    TRY(make(target, all));
    return sync_file_system(target);
  });
}

bool same(const Node& a, const Node& b) {
  return a.status.st_mode == b.status.st_mode && a.status.st_size == b.status.st_size &&
         a.status.st_mtim.tv_sec == b.status.st_mtim.tv_sec && a.status.st_mtim.tv_nsec == b.status.st_mtim.tv_nsec;
}

// Turns `target`, which equals some older state, into `source`: what differs is in memory before the clock starts.
Result<void> write_difference(const std::filesystem::path& source, const std::filesystem::path& target) {
  const std::vector<Loaded> wanted = TRY(load(source));
  std::map<std::string, Node> there;
  for (Node& node : TRY(walk(target))) there.emplace(node.path, node);
  std::vector<const Loaded*> made;
  std::vector<std::string> removed;
  for (const Loaded& entry : wanted) {
    const auto old = there.find(entry.node.path);
    if (old == there.end() || !same(old->second, entry.node)) made.push_back(&entry);
    if (old == there.end()) continue;
    if (!same(old->second, entry.node) && !S_ISDIR(old->second.status.st_mode)) removed.push_back(old->first);
    there.erase(old);
  }
  for (const auto& [path, node] : there) removed.push_back(path);
  return timed([&]() -> Result<void> {
    TRY(walk(target));
    // What lies in a directory sorts behind it, so it is removed first from the end.
    for (auto path = removed.rbegin(); path != removed.rend(); ++path) {
      if (::remove((target / *path).c_str()) != 0) return fail_errno(errno, *path);
    }
    TRY(make(target, made));
    return sync_file_system(target);
  });
}

Result<void> run(std::span<char*> arguments) {
  const std::string_view what = arguments.size() > 2 ? arguments[1] : "";
  const std::filesystem::path root = arguments.size() > 2 ? arguments[2] : "";
  if (what == "stat") return timed([&]() -> Result<void> { return TRY(walk(root)), Result<void>(); });
  if (what == "hash") return timed([&] { return read_all(root, Digesting::sha256); });
  if (what == "read") return timed([&] { return read_all(root, Digesting::no); });
  if (what == "create" && arguments.size() == 4) return create(root, arguments[3]);
  if (what == "difference" && arguments.size() == 4) return write_difference(root, arguments[3]);
  if (what == "generate" && arguments.size() == 4) return generate(root, std::strtoull(arguments[3], nullptr, 10));
  if (what == "generate-file" && arguments.size() == 4) {
    return generate_file(root, std::strtoull(arguments[3], nullptr, 10));
  }
  return fail(ErrorKind::invalid,
              "use: hearth_limits stat|hash|read DIR, create|difference SOURCE TARGET, generate DIR FILES, or "
              "generate-file PATH BYTES");
}

}  // namespace

}  // namespace hearth::bench

int main(int argc, char** argv) {
  const hearth::Result<void> result = hearth::bench::run({argv, static_cast<std::size_t>(argc)});
  if (!result) fmt::print(stderr, "hearth_limits: {}\n", result.error().message);
  return result ? 0 : 1;
}
