#include "store/contract.h"
#include "store/local_factory.h"
#include "store/memory_store.h"
#include "store/metered.h"
#include "store/open.h"
#include "store/retrying.h"
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

StoreUnderTest retrying() {
  return {nullptr, std::make_unique<Retrying>(std::make_unique<MemoryStore>(), RetryPolicy{}, nullptr)};
}

StoreUnderTest local() {
  auto directory = temporary_directory();
  return {directory, open_local(directory->path())};
}

StoreUnderTest opened() {
  auto directory = temporary_directory();
  return {directory, open("file://" + directory->path().native() + "/new").value().store};
}

INSTANTIATE_TEST_SUITE_P(All, StoreContract,
                         testing::Values(StoreFactory{"memory", memory},
                                         StoreFactory{"memory_without_compare_and_swap", without_swap},
                                         StoreFactory{"metered", metered}, StoreFactory{"faultless", faultless},
                                         StoreFactory{"retrying", retrying}, StoreFactory{"local", local},
                                         StoreFactory{"opened", opened}),
                         [](const auto& made) { return made.param.name; });

}  // namespace
}  // namespace hearth::store
