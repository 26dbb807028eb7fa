// The names of a cache's objects; no other file knows them.
//
//   apps/<app>/cache/HEAD.<stack>-<arch>
//   apps/<app>/cache/data.<stack>-<arch>/<epoch>/manifest/<save>
//   apps/<app>/cache/data.<stack>-<arch>/<epoch>/pack/<save>-<number>
//
// "HEAD." sorts before "data.", so whoever deletes the folder in key order kills the cache first.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/cache.h"
#include "store/object_store.h"
#include "util/error.h"

namespace hearth::cache {

// 64 random bits as 16 lowercase hexadecimal digits: epochs, save ids, nonces.
std::string new_id();
bool is_id(std::string_view text);

enum class ObjectKind { manifest, pack };

// One object of one cache. It is written once, and its name is never used again.
struct ObjectName {
  std::string epoch;
  ObjectKind kind = ObjectKind::manifest;
  std::string save;          // the save that wrote it
  std::uint32_t number = 0;  // of packs: 0, 1, … within the save

  auto operator<=>(const ObjectName&) const = default;
  // "<epoch>/manifest/<save>", "<epoch>/pack/<save>-<number>": as it stands in HEAD and in messages.
  std::string text() const;
  // Absent unless `text` is exactly what text() makes.
  static std::optional<ObjectName> parse(std::string_view text);
};

// Objects, and what they take in the store.
struct Stored {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;

  void add(std::uint64_t size) {
    ++objects;
    bytes += size;
  }
  bool operator==(const Stored&) const = default;
};

// Where one cache lies in its store. Immutable.
class Layout {
 public:
  // invalid: an empty app, stack or arch, an arch outside of a-z 0-9 _, or names too long for a key.
  static Result<Layout> of(const Name& name);

  const Name& name() const { return name_; }
  const store::Key& head() const { return head_; }
  // Undoes head(), of any cache. Absent for other keys.
  static std::optional<Name> name_of(const store::Key& head);
  // The cache that an object with this key belongs to, HEAD apart. Absent for other keys.
  static std::optional<Name> owner_of(const store::Key& key);
  // Whether an object of some cache, HEAD apart, has this key.
  static bool has_object(const store::Key& key) { return owner_of(key).has_value(); }
  // What the objects of all caches have in common; those of builds too.
  static store::Prefix all();
  // What the objects of all caches of one app have in common, HEADs among them. invalid: an empty app, or one too long.
  static Result<store::Prefix> caches_of(std::string_view app);
  // What all other objects of this cache, of all epochs, have in common.
  const store::Prefix& objects() const { return objects_; }
  store::Key key(const ObjectName& object) const;
  // Undoes key(). Absent for keys that no object of this cache has.
  std::optional<ObjectName> parse(const store::Key& key) const;

 private:
  Layout(Name name, store::Key head, store::Prefix objects)
      : name_(std::move(name)), head_(std::move(head)), objects_(std::move(objects)) {}
  Name name_;
  store::Key head_;
  store::Prefix objects_;
};

}  // namespace hearth::cache
