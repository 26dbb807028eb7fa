// Bytes under keys. One small interface for every medium; what media differ in (retries, metering, tiers) are
// decorators around it, stacked in store/open.cc and nowhere else (but for watched.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "util/error.h"
#include "util/file.h"

namespace hearth::store {

// The name of an object: segments joined by '/', at most 1,024 bytes, no empty, "." or ".." segment, no control
// character. What is outside A-Z a-z 0-9 - _ . ~ comes in percent-encoded (util::percent_encode).
class Key {
 public:
  static Result<Key> parse(std::string text);
  const std::string& text() const { return text_; }
  auto operator<=>(const Key&) const = default;

 private:
  explicit Key(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// What keys have in common: "" (everything), or a key's text with a '/' at its end.
class Prefix {
 public:
  Prefix() = default;
  static Result<Prefix> parse(std::string text);
  const std::string& text() const { return text_; }

 private:
  explicit Prefix(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = UINT64_MAX;  // up to the object's end; a range that reaches past the end is cut there
};

// The part of an object of `size` bytes that `range` names. A range that starts past the end is invalid; one that
// starts at the end has no bytes.
Result<ByteRange> clip(ByteRange range, std::uint64_t size);

// The store's own name for one state of an object (an ETag, a generation); opaque, compared for equality only.
struct Version {
  std::string text;
  auto operator<=>(const Version&) const = default;
};

// What put requires of the object that is there now.
struct Condition {
  enum class Kind { none, if_absent, if_version };
  Kind kind = Kind::none;
  Version version;  // of if_version

  static Condition none() { return {}; }
  static Condition if_absent() { return {Kind::if_absent, {}}; }
  static Condition if_version(Version version) { return {Kind::if_version, std::move(version)}; }
};

// Seconds since 1970 by the *store's* clock; never compare it with this machine's.
using StoreTime = std::chrono::sys_seconds;

struct ObjectInfo {
  Key key;
  std::uint64_t size = 0;  // bytes
  Version version;
  StoreTime modified;  // when the object was written
  StoreTime now;       // the store's clock when it answered
};

struct Object {
  ObjectInfo info;               // size is the whole object's, whatever the range
  std::vector<std::byte> bytes;  // of the range
};

// What put stores: bytes in memory that outlive the call, or the whole of an open file (read with pread, never moved).
using Body = std::variant<std::span<const std::byte>, const util::Fd*>;

// Whether a false if_version or if_absent is refused by this store, also when writers race.
enum class CompareAndSwap { honoured, absent };

// Whether a put is refused whose content does not have the checksum that was sent with it, as it was damaged on its
// way. absent: none is sent, since nothing travels.
enum class Checksums { honoured, ignored, absent };

// All functions may be called from several threads at once. Unless a function says more, the errors are: unavailable
// (no proper answer: worth a retry), denied, invalid, cancelled (the token), corrupt, io.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // The object's bytes, and what it is. Absent: not_found. A range that starts past the end: invalid.
  virtual Result<Object> get(const Key& key, ByteRange range, std::stop_token stop) = 0;

  // Creates or replaces the whole object in one step, durable when the call returns; readers see the old bytes or the
  // new ones. The condition does not hold: conflict, and nothing was changed. After unavailable it may have happened.
  virtual Result<Version> put(const Key& key, Body body, const Condition& condition, std::stop_token stop) = 0;

  // Absent: not_found.
  virtual Result<ObjectInfo> stat(const Key& key, std::stop_token stop) = 0;

  // Calls `visit` once for each object below the prefix, in bytewise order of the keys; an error of `visit` ends the
  // listing and is returned. What is written or removed meanwhile may or may not be seen.
  using Visitor = std::function<Result<void>(const ObjectInfo&)>;
  virtual Result<void> list(const Prefix& prefix, const Visitor& visit, std::stop_token stop) = 0;

  // An absent object is success.
  virtual Result<void> remove(const Key& key, std::stop_token stop) = 0;

  // The same for many keys, in fewer requests where the medium can. After an error any of them may be gone.
  virtual Result<void> remove_each(std::span<const Key> keys, std::stop_token stop);

  // What is known by now: a store that has to be asked is taken to honour it until a conditional put showed otherwise,
  // and says so from that put's return on.
  virtual CompareAndSwap compare_and_swap() const = 0;

  // Tries that by a small put of its own. ignored: the object is there then, and the caller's to remove.
  virtual Result<Checksums> try_checksums(const Key&, std::stop_token) { return Checksums::absent; }

  // For messages: the store's URL without any secret.
  virtual std::string description() const = 0;
};

}  // namespace hearth::store
