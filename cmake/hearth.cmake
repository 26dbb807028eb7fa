# The build rules that every module shares.

add_library(hearth_flags INTERFACE)
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  # g++ 12 finds std::optional's empty storage maybe uninitialized, wherever it inlines enough.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${HEARTH_WERROR}>:-Werror>)
if(HEARTH_SANITIZE)
  # Nothing that UndefinedBehaviorSanitizer finds is only printed.
  target_compile_options(hearth_flags INTERFACE
    -fsanitize=${HEARTH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hearth_flags INTERFACE -fsanitize=${HEARTH_SANITIZE})
  if(HEARTH_FUZZ)
    # libFuzzer's counters.
    target_compile_options(hearth_flags INTERFACE -fsanitize=fuzzer-no-link -O1)
  else()
    # What these look for at every pointer takes a third of the compilation: null is found by the crash, and all of it
    # by the fuzz targets.
    target_compile_options(hearth_flags INTERFACE -O0 -fno-sanitize=null,alignment,vptr)
  endif()
endif()

# The standard headers that nearly every file includes, compiled once.
file(WRITE ${CMAKE_BINARY_DIR}/hearth_pch.cc "")
add_library(hearth_pch OBJECT ${CMAKE_BINARY_DIR}/hearth_pch.cc)
target_link_libraries(hearth_pch PRIVATE hearth_flags fmt::fmt)
target_precompile_headers(hearth_pch PRIVATE
  <algorithm> <array> <chrono> <cstdint> <expected> <filesystem> <functional> <map> <memory> <mutex> <optional>
  <span> <stop_token> <string> <string_view> <thread> <utility> <variant> <vector> <fmt/format.h>)

# hearth_module(NAME SOURCES a.cc… HEADERS a.h… [SEPARATE b.cc…] [DEPENDS util…] [LIBRARIES PkgConfig::x…])
# One static library hearth_NAME. HEADERS are the headers that compile alone; all of a module's headers belong there.
# Sources are compiled some at a time, in one unit, which takes a third of the time that they take one by one: names in
# anonymous namespaces are a module's own, and SEPARATE names sources that go with no other.
function(hearth_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;SEPARATE;DEPENDS;LIBRARIES" ${ARGN})
  add_library(hearth_${name} STATIC ${arg_SOURCES})
  set_target_properties(hearth_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  if(arg_SEPARATE)
    set_source_files_properties(${arg_SEPARATE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  target_sources(hearth_${name} INTERFACE FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${arg_HEADERS})
  target_include_directories(hearth_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM arg_DEPENDS PREPEND hearth_)
  target_link_libraries(hearth_${name} PUBLIC ${arg_DEPENDS} fmt::fmt Threads::Threads
    PRIVATE hearth_flags ${arg_LIBRARIES})
  target_precompile_headers(hearth_${name} REUSE_FROM hearth_pch)
endfunction()

# hearth_test(MODULE SOURCES a_test.cc… [DEPENDS module…] [LIBRARIES …] [LABELS slow] [SLOW_CASES Suite.Case…]
#             [QUICK_SHARDS n])
# One GoogleTest program MODULE_test. Every TEST is a ctest of its own, labelled `case`, or `slow` if LABELS says so for
# all or SLOW_CASES, patterns of --gtest_filter, for some. All cases that are not slow are once more a ctest
# `quick.MODULE`, labelled `whole`: one process, or QUICK_SHARDS of them, where starting one for each case would take
# longer than the cases do. Sources are compiled some at a time, as those of modules are.
function(hearth_test name)
  cmake_parse_arguments(arg "" "QUICK_SHARDS" "SOURCES;DEPENDS;LIBRARIES;LABELS;SLOW_CASES" ${ARGN})
  add_executable(${name}_test ${arg_SOURCES})
  list(TRANSFORM arg_DEPENDS PREPEND hearth_)
  target_include_directories(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name}_test PRIVATE ${arg_DEPENDS} ${arg_LIBRARIES} hearth_flags GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name}_test PRIVATE HEARTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_precompile_headers(${name}_test REUSE_FROM hearth_test_pch)
  set_target_properties(${name}_test PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)

  list(JOIN arg_SLOW_CASES ":" slow_cases)
  set(not_slow "*")
  if(slow_cases)
    set(not_slow "-${slow_cases}")
    hearth_discover_cases(${name} "${slow_cases}" slow)
  endif()
  if(arg_LABELS STREQUAL slow)
    hearth_discover_cases(${name} "${not_slow}" slow)
  else()
    hearth_discover_cases(${name} "${not_slow}" case)
    hearth_quick_tests(${name} "${not_slow}" "${arg_QUICK_SHARDS}")
  endif()
endfunction()

# One label: gtest_discover_tests loses the second of a list.
function(hearth_discover_cases name filter label)
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." TEST_FILTER "${filter}" DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT 300 LABELS ${label})
endfunction()

function(hearth_quick_tests name filter shards)
  if(NOT shards)
    set(shards 1)
  endif()
  math(EXPR last "${shards} - 1")
  foreach(shard RANGE ${last})
    set(test quick.${name})
    if(shards GREATER 1)
      math(EXPR number "${shard} + 1")
      string(APPEND test ".${number}")
    endif()
    add_test(NAME ${test} COMMAND ${name}_test --gtest_brief=1 "--gtest_filter=${filter}")
    set_tests_properties(${test} PROPERTIES LABELS whole TIMEOUT 300
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}")
  endforeach()
endfunction()
