"""The commands on caches and builds, on an S3 server: started by tests/stores/with_server.py, which says where it is.

These are tests of the neighbouring files, which run on a store on this machine, too.
"""

import os
import sys
import unittest

os.environ["E2E_STORE"] = "bucket"

EVERYTHING = ["test_cache_change", "test_cache_inspect", "test_cache_archive", "test_cache_verify", "test_control", "test_stats",
              "test_builds", "test_quarantine", "test_retry_cold", "test_background", "test_doctor", "test_cache_damage", "test_requests", "test_log", "test_run", "test_cache_command"]

if __name__ == "__main__":
    chosen = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:] or EVERYTHING)
    sys.exit(not unittest.TextTestRunner(verbosity=2, durations=None).run(chosen).wasSuccessful())
