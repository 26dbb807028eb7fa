// Takes secrets out of a stream of bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hearth::build {

// What is shown instead of a secret.
inline constexpr std::string_view kMasked = "********";
// Shorter values are not secret enough to make every log unreadable for them.
inline constexpr std::size_t kShortestSecret = 8;

// What has to be masked: each value of at least kShortestSecret bytes, of values of several lines each such line. Of
// BUILDPACK_URL, which messages must be able to name, only userinfo and query; of HEARTH_CACHE and
// HEARTH_CACHE_EXCLUDE, nothing.
std::vector<std::string> secrets_of(const std::map<std::string, std::string>& config_vars);
// Of a build: those of its config vars, and of what it hands on from our own environment: the same of the variables
// that `pass_env` names, and the userinfo of the proxies.
std::vector<std::string> secrets_of(const std::map<std::string, std::string>& config_vars,
                                    const std::map<std::string, std::string>& host_environment,
                                    const std::vector<std::string>& pass_env);

// Finds all secrets, also overlapping ones, wherever the stream is cut into pieces. A run of bytes that belong to
// secrets comes out as one kMasked. One thread at a time.
class Masker {
 public:
  explicit Masker(const std::vector<std::string>& secrets);

  // The next piece. What may yet turn out to be the beginning of a secret is held back; everything else is returned.
  std::string feed(std::string_view bytes);
  // The stream ended here: returns what was held back, and starts anew.
  std::string flush();
  // A text of its own, not part of the stream.
  std::string mask(std::string_view text) const;

 private:
  // An Aho-Corasick automaton; nodes are prefixes of secrets, node 0 is the empty one.
  struct Node {
    std::uint32_t fallback = 0;  // the longest proper suffix that is a node
    std::uint32_t depth = 0;     // length of the prefix
    std::uint32_t secret = 0;    // length of the longest secret that ends here
  };
  struct Stream {
    std::uint32_t node = 0;
    std::string held;          // the last `depth` bytes
    std::vector<bool> hidden;  // of each held byte
    bool in_secret = false;    // the last byte that was given out was a hidden one
  };

  void add(std::string_view secret);
  void link();
  std::uint32_t next(std::uint32_t node, unsigned char byte) const;
  std::uint32_t child(std::uint32_t node, unsigned char byte) const;
  static void give_out(Stream& stream, std::size_t count, std::string& out);
  void feed(Stream& stream, std::string_view bytes, std::string& out) const;

  std::vector<Node> nodes_{Node{}};
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  // (node, byte) → node
  std::vector<std::uint32_t> roots_ = std::vector<std::uint32_t>(256, 0);
  Stream stream_;
};

}  // namespace hearth::build
