#include "cache/cache.h"

namespace hearth::cache {

std::string_view name(RestoreOutcome outcome) {
  switch (outcome) {
    case RestoreOutcome::hit:
      return "hit";
    case RestoreOutcome::fallback:
      return "fallback";
    case RestoreOutcome::miss:
      return "miss";
    case RestoreOutcome::damaged:
      return "damaged";
    case RestoreOutcome::unavailable:
      return "unavailable";
    case RestoreOutcome::late:
      return "late";
  }
  return "unavailable";
}

std::string_view name(SaveOutcome outcome) {
  switch (outcome) {
    case SaveOutcome::saved:
      return "saved";
    case SaveOutcome::unchanged:
      return "unchanged";
    case SaveOutcome::failed:
      return "failed";
    case SaveOutcome::superseded:
      return "superseded";
    case SaveOutcome::late:
      return "late";
  }
  return "failed";
}

}  // namespace hearth::cache
