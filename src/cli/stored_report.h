// A stored build as `hearth builds` tells it, in text and in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "build/stored_builds.h"

namespace hearth::cli {

// One line for each build, behind a line of headings.
std::vector<std::string> build_table(const std::vector<build::StoredBuild>& builds);
// The same as a member of the documented JSON. `current`: the build that `hearth run` takes.
nlohmann::json summary_json(const build::StoredBuild& build, const std::optional<std::string>& current);

// All that is known of one. A report that is no JSON, or of another form, is told as far as it can be read.
std::vector<std::string> full_text(const build::StoredBuild& build, const build::BuildFiles& files);
nlohmann::json full_json(const std::string& app, const build::StoredBuild& build, const build::BuildFiles& files);

}  // namespace hearth::cli
