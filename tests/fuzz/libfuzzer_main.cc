// libFuzzer's entry into the one target of the program.
#include <cstdint>

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // An empty span of no address is unusual enough to be passed on as one.
  hearth::fuzz::targets().begin()->second(std::as_bytes(std::span(data, size)));
  return 0;
}
