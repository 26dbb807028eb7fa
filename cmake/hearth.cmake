# The build rules that every module shares.

add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  # g++ 12 finds std::optional's empty storage maybe uninitialized, wherever it inlines enough.
  -Wno-maybe-uninitialized
  $<$<BOOL:${HEARTH_WERROR}>:-Werror>)
if(HEARTH_SANITIZE)
  target_compile_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer -O0)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()

# The standard headers that nearly every file includes, compiled once.
file(WRITE ${CMAKE_BINARY_DIR}/hearth_pch.cc "")
add_library(hearth_pch OBJECT ${CMAKE_BINARY_DIR}/hearth_pch.cc)
target_link_libraries(hearth_pch PRIVATE hearth_flags fmt::fmt)
target_precompile_headers(hearth_pch PRIVATE
  <algorithm> <array> <chrono> <cstdint> <expected> <filesystem> <functional> <map> <memory> <mutex> <optional>
  <span> <stop_token> <string> <string_view> <thread> <utility> <variant> <vector> <fmt/format.h>)

# hearth_module(NAME SOURCES a.cc… HEADERS a.h… [DEPENDS util…] [LIBRARIES PkgConfig::x…])
# One static library hearth_NAME. HEADERS are the headers that compile alone; all of a module's headers belong there.
function(hearth_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;DEPENDS;LIBRARIES" ${ARGN})
  add_library(hearth_${name} STATIC ${arg_SOURCES})
  target_sources(hearth_${name} INTERFACE FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${arg_HEADERS})
  target_include_directories(hearth_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM arg_DEPENDS PREPEND hearth_)
  target_link_libraries(hearth_${name} PUBLIC ${arg_DEPENDS} fmt::fmt Threads::Threads
    PRIVATE hearth_flags ${arg_LIBRARIES})
  target_precompile_headers(hearth_${name} REUSE_FROM hearth_pch)
endfunction()

# hearth_test(MODULE SOURCES a_test.cc… [DEPENDS module…] [LIBRARIES …] [LABELS slow])
# One GoogleTest program MODULE_test; every TEST is a ctest of its own.
function(hearth_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LIBRARIES;LABELS" ${ARGN})
  add_executable(${name}_test ${arg_SOURCES})
  list(TRANSFORM arg_DEPENDS PREPEND hearth_)
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name}_test PRIVATE ${arg_DEPENDS} ${arg_LIBRARIES} hearth_flags GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE HEARTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_precompile_headers(${name}_test REUSE_FROM hearth_test_pch)
  set(labels)
  if(arg_LABELS)
    set(labels LABELS "${arg_LABELS}")
  endif()
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 300 ${labels})
endfunction()
