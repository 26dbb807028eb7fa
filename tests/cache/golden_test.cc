// Samples of every format that was ever released stay readable. ACCEPT=1 writes those of the present one anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "cache/format/bytes.h"
#include "cache/format_samples.h"
#include "util/file.h"

namespace hearth::cache {
namespace {

const std::filesystem::path kFolder = HEARTH_SOURCE_DIR "/tests/golden/format-1";

// The bytes of the sample as the file has them; with ACCEPT=1 the file is made of `now` first.
std::string golden(const std::string& name, std::span<const std::byte> now) {
  if (std::getenv("ACCEPT") != nullptr) {
    EXPECT_TRUE(util::make_directories(kFolder));
    EXPECT_TRUE(util::write_file(kFolder / name, as_text(now)));
  }
  const auto text = util::read_file(kFolder / name);
  EXPECT_TRUE(text) << "run it with ACCEPT=1 to make it";
  return text.value_or("");
}

const util::Digest kBase = util::sha256("base");

TEST(Golden, Head) {
  const std::string now = encode_head(sample::head());
  const std::string text = golden("HEAD", as_bytes(now));
  EXPECT_EQ(*decode_head(text), sample::head());
  EXPECT_EQ(text, now);
}

TEST(Golden, Pack) {
  const std::string pack = golden("pack", sample::pack());
  const auto blocks = verify_pack(as_bytes(pack));
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->size(), 2U);
  EXPECT_EQ(decode_block((*blocks)[1].block, as_bytes(pack).subspan((*blocks)[1].block.offset, 100)),
            sample::noise(100, 2));
}

TEST(Golden, Manifests) {
  const std::string full = golden("manifest", *encode_manifest(sample::manifest()));
  EXPECT_TRUE(*decode_manifest(as_bytes(full)) == sample::manifest());
  const std::string in_line = golden("manifest-inline", *encode_manifest(sample::inline_manifest()));
  EXPECT_TRUE(*decode_manifest(as_bytes(in_line)) == sample::inline_manifest());
  const std::string delta =
      golden("manifest-delta", *encode_delta(sample::changed_manifest(), sample::manifest(), kBase));
  EXPECT_TRUE(*decode_delta(as_bytes(delta), sample::manifest(), kBase) == sample::changed_manifest());
}

}  // namespace
}  // namespace hearth::cache
