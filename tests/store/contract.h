// What every store promises, as one suite: a test program instantiates StoreContract with its factories.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/object_store.h"

namespace hearth::store {

Key key(std::string text);
Prefix prefix(std::string text);
// A view of the text, which must outlive it.
std::span<const std::byte> bytes_of(std::string_view text);
std::string text_of(std::span<const std::byte> bytes);
// The texts of the keys in the order of the listing.
std::vector<std::string> keys_below(ObjectStore& store, const std::string& prefix_text);

// A store under test with whatever it needs to live.
struct StoreUnderTest {
  std::shared_ptr<void> surroundings;
  std::unique_ptr<ObjectStore> store;
};

// What a version names: each write by itself, or what was written (an ETag that is a hash).
enum class Versions { of_writes, of_contents };

// What a name may consist of; keys of this program are ASCII.
enum class Names { any_bytes, utf8 };

// Of which a server keeps one copy, that is absent for a moment while it is replaced (docs/stores.md).
enum class Copies { several, one };

struct StoreFactory {
  std::string name;
  std::function<StoreUnderTest()> make;
  Versions versions = Versions::of_writes;
  Names names = Names::any_bytes;
  Copies copies = Copies::several;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) {
  *out << factory.name;
}

class StoreContract : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override { made_ = GetParam().make(); }
  ObjectStore& store() { return *made_.store; }
  // Stores it, and fails the test if that fails.
  Version put(const std::string& name, std::string_view text, const Condition& condition = Condition::none());
  std::string get(const std::string& name, ByteRange range = {});
  // Whether the store refuses false conditions. One that has to be asked has learnt it by then: see compare_and_swap().
  bool swaps();
  // What the i-th put of a test has to store for a version of its own.
  static std::string content_of_its_own(int i);

 private:
  StoreUnderTest made_;
};

}  // namespace hearth::store
