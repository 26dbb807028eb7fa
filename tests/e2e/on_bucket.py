"""The commands on caches and builds, on an S3 server: started by tests/stores/with_server.py, which says where it is.

These are tests of the neighbouring files, which all run on a directory: of each command at least one. Names after this
program's are run instead.
"""

import os
import sys
import unittest

os.environ["E2E_STORE"] = "bucket"

BACKGROUND = "test_background.Background."
QUARANTINE = "test_quarantine.Quarantine."
RETRY_COLD = "test_retry_cold.RetryCold."
STATS = "test_stats.Stats."
VERIFY = "test_cache_verify.CacheVerify."
CHOSEN = [
    "test_numbers",
    "test_cache_command",
    "test_cache_change",
    "test_cache_inspect",
    "test_cache_archive",
    "test_control",
    "test_builds",
    VERIFY + "test_all_caches",
    VERIFY + "test_damage_is_told_with_what_it_costs",
    STATS + "test_every_number_is_what_the_builds_were",
    STATS + "test_what_is_saved_is_the_difference",
    STATS + "test_all_caches_and_stacks",
    STATS + "test_bad_input",
    "test_stats.Auto.test_it_goes_by_what_the_store_remembers",
    BACKGROUND + "test_the_build_ends_before_its_save",
    BACKGROUND + "test_a_killed_saver_leaves_the_old_cache",
    QUARANTINE + "test_it_is_kept_aside_and_nobody_else_gets_it",
    QUARANTINE + "test_who_asks_for_it_gets_it_and_a_success_with_it_makes_it_the_cache",
    RETRY_COLD + "test_a_cache_that_makes_compile_fail_is_replaced",
    RETRY_COLD + "test_an_app_that_fails_anyway_keeps_its_good_cache",
    "test_cache_damage.Failing.test_a_late_restore_is_a_cold_build_and_a_late_save_changes_nothing",
    "test_doctor.Doctor.test_here_builds_can_be_made",
]
LEFT_OUT = {
    # Nobody can make an object older; test_numbers has what gc deletes.
    "test_gc_takes_what_nobody_needs",
    # Holds the locks of a directory store.
    "test_a_save_without_progress_ends_and_the_old_cache_stays",
    # The same on every store.
    "test_a_build_restores_what_was_rolled_back_to",
    "test_a_pattern_that_names_nothing_is_refused",
    "test_a_reader_that_goes_away",
    "test_bars_on_a_terminal_only",
    "test_each_name_is_in_the_docs",
    "test_every_command_has_help_with_examples",
    "test_hostile_archives",
    "test_memory_does_not_grow_with_the_file",
    "test_nothing_is_deleted_without_a_word",
    "test_the_source_decides_nothing",
}


def cases_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from cases_of(test)
        elif test.id().rpartition(".")[2] not in LEFT_OUT:
            yield test


if __name__ == "__main__":
    found = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:] or CHOSEN)
    outcome = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(cases_of(found)))
    sys.exit(0 if outcome.wasSuccessful() else 1)
