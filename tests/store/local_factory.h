// LocalStore in a directory of its own.
#pragma once

#include <filesystem>
#include <memory>

#include "store/local_store.h"
#include "util/file.h"

namespace hearth::store {

inline std::shared_ptr<util::TempDir> temporary_directory() {
  return std::make_shared<util::TempDir>(
      util::TempDir::create(std::filesystem::temp_directory_path(), "hearth-store-").value());
}

inline std::unique_ptr<LocalStore> open_local(const std::filesystem::path& root, const LocalOptions& options = {}) {
  return LocalStore::open(root, options).value();
}

}  // namespace hearth::store
