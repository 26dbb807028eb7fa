#include "util/lazy_library.h"

#include <dlfcn.h>

namespace hearth::util {

Result<void> load_functions(const char* soname, std::span<const char* const> names, void** slots) {
  void* const library = ::dlopen(soname, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return fail(ErrorKind::io, "cannot load a library: {}", ::dlerror());
  for (const char* const name : names) {
    *slots = ::dlsym(library, name);
    if (*slots == nullptr) return fail(ErrorKind::io, "{} is not the library that is needed: no {}", soname, name);
    ++slots;
  }
  return {};
}

}  // namespace hearth::util
