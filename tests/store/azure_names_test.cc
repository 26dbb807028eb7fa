#include "store/azure/names.h"

#include <gtest/gtest.h>

#include "store/object_store.h"

namespace hearth::store::azure {
namespace {

TEST(AzureNames, WhatKeysMostlyHaveStandsForItself) {
  for (const char* key :
       {"apps/blog/heroku-24-amd64/packs/0a-_1.pack", "a.b.c/v1.2", "%2F%20x", "A b", "!'()*+,;=@:"}) {
    EXPECT_EQ(blob_name(key), key);
    EXPECT_EQ(key_of_blob(key).value(), key);
  }
}

TEST(AzureNames, WhatAzureWouldChangeIsWrittenOtherwise) {
  EXPECT_EQ(blob_name("a\\b"), "a[5Cb");
  EXPECT_EQ(blob_name("[~"), "[5B~7E");
  EXPECT_EQ(blob_name("\xff\xfe"), "~FF~FE");
  EXPECT_EQ(blob_name("app./x"), "app.0!/x");
  EXPECT_EQ(blob_name("app.0"), "app.00");
  EXPECT_EQ(blob_name("..."), "... !");
  EXPECT_EQ(blob_name("a. b"), "a. ~b");
}

// All texts of up to four bytes, of those that matter.
std::vector<std::string> texts() {
  const std::string bytes = " !-./01A[\\]}~\x80\xff";
  std::vector<std::string> all = {""};
  for (std::size_t begin = 0, length = 0; length < 4; ++length) {
    const std::size_t end = all.size();
    for (; begin < end; ++begin) {
      for (const char byte : bytes) all.push_back(all[begin] + byte);
    }
  }
  return all;
}

TEST(AzureNames, AreSortedAsTheirKeysAndComeBack) {
  std::vector<std::string> keys;
  for (const std::string& text : texts()) {
    if (Key::parse(text)) keys.push_back(text);
  }
  ASSERT_GT(keys.size(), 20'000U);
  std::ranges::sort(keys);
  std::string before;
  for (const std::string& key : keys) {
    const std::string name = blob_name(key);
    EXPECT_LT(before, name) << key;
    EXPECT_EQ(key_of_blob(name).value(), key);
    EXPECT_FALSE(name.contains("./") || name.ends_with('.') || name.contains('\\')) << name;
    before = name;
  }
}

TEST(AzureNames, OtherNamesStandForNoKey) {
  for (const char* name : {"a\\b", "[", "[5", "[41", "[5b", "~zz", "~41", "a.", "a./b", "a.0", ".0!", ". x", "\xff"}) {
    EXPECT_FALSE(key_of_blob(name)) << name;
  }
}

}  // namespace
}  // namespace hearth::store::azure
