#include "store/contract.h"
#include "store/memory_store.h"
#include "store/metered.h"
#include "support/faulty_store.h"

namespace hearth::store {
namespace {

StoreUnderTest memory() {
  return {nullptr, std::make_unique<MemoryStore>()};
}

StoreUnderTest without_swap() {
  return {nullptr, std::make_unique<MemoryStore>(CompareAndSwap::absent)};
}

StoreUnderTest metered() {
  return {nullptr, std::make_unique<Metered>(std::make_unique<MemoryStore>(), std::make_shared<Meter>())};
}

StoreUnderTest faultless() {
  auto inner = std::make_shared<MemoryStore>();
  return {inner, std::make_unique<support::FaultyStore>(*inner)};
}

INSTANTIATE_TEST_SUITE_P(All, StoreContract,
                         testing::Values(StoreFactory{"memory", memory},
                                         StoreFactory{"memory_without_compare_and_swap", without_swap},
                                         StoreFactory{"metered", metered}, StoreFactory{"faultless", faultless}),
                         [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace hearth::store
