// What a build does with its cache: what the operator says (--cache) and what the app's owner says (config vars).
#pragma once

#include <string>
#include <vector>

#include "build/build.h"
#include "build/config_vars.h"

namespace hearth::build {

enum class StoredCache { stays, is_deleted };

struct CacheChoice {
  CacheMode mode = CacheMode::on;
  StoredCache stored = StoredCache::stays;
  std::string why;                   // who said so: "--cache read-only, config var HEARTH_CACHE=off"; empty: nobody
  std::vector<std::string> ignored;  // one line for each config var whose value cannot be used
};

// As it is written in --cache and, but for "auto", in HEARTH_CACHE.
std::string_view name(CacheMode mode);

// A cache is restored where operator and owner both let it be, and saved where both let it be: so "off" of either wins,
// read-only with refresh is off, and automatic is on until the history was asked. The owner's words are HEARTH_CACHE
// (one of the modes; anything else is ignored), DEIS_BUILDPACK_CACHE=false and, whatever its value, DEIS_DISABLE_CACHE
// (both as in deis' slugbuilder): off, and what is stored is deleted, where the operator lets the cache be saved.
CacheChoice choose_cache(CacheMode operators, const ConfigVars& config_vars);

// What is left out of a save: the operator's patterns, and behind them the lines of the config var
// HEARTH_CACHE_EXCLUDE.
std::string cache_exclusions(const std::vector<std::string>& operators, const ConfigVars& config_vars);

}  // namespace hearth::build
