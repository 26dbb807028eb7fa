// hearth_slug_writer DIR FILE LEVEL: the part of a build that turns a directory into a slug, alone.
#include <cstdlib>

#include "slug/slug.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "use: hearth_slug_writer DIR FILE LEVEL\n");
    return 2;
  }
  const hearth::slug::Options options{.compression_level = std::atoi(argv[3])};
  const auto slug = hearth::slug::write(argv[1], argv[2], options, {});
  if (!slug) fmt::print(stderr, "hearth_slug_writer: {}\n", slug.error().message);
  return slug ? 0 : 1;
}
