"""`hearth doctor`: whether builds can be made here, and what to mend."""

import json
import os
import shutil
import subprocess

from harness import ORDINARY_USER, EndToEnd, bwrap_works, main, needs_bwrap, needs_root


class Doctor(EndToEnd):
    def doctor(self, *arguments, expect=0, **options):
        outcome = self.hearth("doctor", *arguments, **options)
        self.assertEqual(outcome.code, expect, str(outcome))
        return outcome

    def told(self, *arguments, expect=0, **options):
        told = json.loads(self.doctor(*arguments, "--format", "json", expect=expect, **options).stdout)
        self.assertEqual(told["version"], 1)
        return told

    @staticmethod
    def of(told, subject):
        return [finding for finding in told["findings"] if finding["subject"] == subject]

    def test_here_builds_can_be_made(self):
        told = self.told()
        self.assertTrue(told["usable"], told)
        self.assertEqual(told["sandbox"], "bwrap" if bwrap_works() else "uid")
        self.assertEqual([finding for finding in told["findings"] if finding["health"] == "bad"], [])
        git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(self.of(told, "git")[0]["detail"], git)
        self.assertIn("OpenSSH", self.of(told, "ssh")[0]["detail"])
        self.assertEqual(self.of(told, "clock")[0]["health"], "good")
        self.assertIn(str(self.store), self.of(told, "store")[0]["detail"])
        left = [path for path in self.objects() if path.relative_to(self.store).parts[0] != ".hearth"]
        self.assertEqual(left, [], "nothing stays in the store but its own locks")
        # What it says, a build does.
        report = self.build(self.app(), packs=[self.buildpack()]).report
        self.assertEqual(report["sandbox"], told["sandbox"])

    def test_the_disk_is_the_one_that_df_sees(self):
        detail = self.of(self.told(), "disk")[0]["detail"]
        free = int(subprocess.run(["df", "--output=avail", "-B1", str(self.work)], capture_output=True, text=True,
                                  check=True).stdout.split()[-1])
        number, unit = detail.split()[:2]
        factor = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}[unit]
        self.assertAlmostEqual(float(number) * factor / free, 1, delta=0.05)
        kind = subprocess.run(["stat", "-f", "-c", "%T", str(self.work)], capture_output=True, text=True,
                              check=True).stdout.strip()
        told = self.of(self.told(), "file system")[0]["detail"]
        if kind in ("ext2/ext3", "xfs", "btrfs", "tmpfs", "overlayfs"):
            self.assertIn({"ext2/ext3": "ext4"}.get(kind, kind), told)

    def test_text_ends_on_the_verdict(self):
        lines = self.doctor().log.splitlines()
        self.assertRegex(lines[-1], "^Builds can be made here, in the sandbox (bwrap|uid).$")
        self.assertTrue(all(line.split()[0] in ("ok", "-", "warning", "to") for line in lines[:-1]), lines)

    def test_a_full_disk(self):
        work = self.tmpfs(self.root / "small", "3m")
        told = self.told("--work", work, expect=70)
        self.assertFalse(told["machine_usable"])
        self.assertTrue(told["store_usable"])
        self.assertEqual(self.of(told, "disk")[0]["health"], "bad")
        self.assertIn("--work", self.of(told, "disk")[0]["remedy"])
        self.assertEqual(self.of(told, "file system")[0]["health"], "worry")

    @needs_root
    def test_a_work_directory_that_cannot_run_programs(self):
        work = self.tmpfs(self.root / "noexec", "1g")
        subprocess.run(["mount", "-o", "remount,noexec", str(work)], check=True)
        told = self.told("--work", work, expect=70)
        self.assertTrue(any("noexec" in finding["detail"] and finding["health"] == "bad"
                            for finding in self.of(told, "file system")), told)

    def test_a_work_directory_that_is_a_file(self):
        blocked = self.root / "cache-home" / "file"
        blocked.write_text("no directory\n")
        told = self.told("--work", blocked, expect=70)
        self.assertEqual(self.of(told, "work directory")[0]["health"], "bad")

    @needs_root
    def test_a_work_directory_that_others_can_write_to(self):
        work = self.root / "shared"
        work.mkdir()
        work.chmod(0o777)
        finding = self.of(self.told("--work", work, expect=70), "work directory")[0]
        self.assertIn("others can write to it", finding["detail"])

    def test_stores_that_cannot_be_used(self):
        blocked = self.root / "data" / "file"
        blocked.write_text("no directory\n")
        told = self.told("--store", f"file://{blocked}/store", expect=5)
        self.assertEqual((told["machine_usable"], told["store_usable"]), (True, False))
        self.assertIn("Builds cannot be made here", self.doctor("--store", f"file://{blocked}/store", expect=5).log)
        self.told("--store", "nonsense", expect=2)
        self.told("--store", "s3://builds?endpoint=http://127.0.0.1:1", expect=5,
                  env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}, timeout=240)

    def test_a_store_that_is_read_only(self):
        if os.geteuid() == 0:
            self.become(ORDINARY_USER)
        store = self.root / "data" / "store"
        store.mkdir()
        store.chmod(0o555)
        told = self.told("--store", f"file://{store}", expect=5)
        self.assertEqual(self.of(told, "store")[0]["health"], "bad")

    @needs_root
    def test_a_level_without_a_network_of_its_own(self):
        told = self.told("--sandbox", "uid")
        self.assertEqual(told["sandbox"], "uid")
        self.assertEqual(self.of(told, "network")[0]["health"], "worry")
        self.assertIn("security.md", self.of(told, "network")[0]["remedy"] + self.of(told, "network")[0]["detail"])

    @needs_root
    def test_an_ordinary_user_has_no_level_uid(self):
        self.become(ORDINARY_USER)
        told = self.told("--sandbox", "uid", expect=70)
        self.assertEqual(self.of(told, "sandbox uid")[0]["health"], "bad")
        self.assertIn("root", self.of(told, "sandbox uid")[0]["remedy"])
        if bwrap_works():
            self.assertEqual(self.of(self.told(), "sandbox uid")[0]["health"], "unneeded")

    @needs_bwrap
    def test_a_root_without_a_shell(self):
        root = self.root / "stack"
        (root / "usr" / "bin").mkdir(parents=True)
        told = self.told("--stack-root", root, "--sandbox", "bwrap", expect=70)
        self.assertFalse(told["machine_usable"])

    @needs_bwrap
    def test_a_root_without_git_and_ssh(self):
        """A stack of bash, env and true alone."""
        root = self.root / "stack"
        (root / "usr" / "bin").mkdir(parents=True)
        for program in ("bash", "env", "true"):
            shutil.copy(f"/usr/bin/{program}", root / "usr" / "bin" / program)
            told = subprocess.run(["ldd", f"/usr/bin/{program}"], capture_output=True, text=True, check=True).stdout
            for library in (word for word in told.split() if word.startswith("/")):
                target = root / (library[1:] if library.startswith("/usr") else "usr" + library)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)
        for name in ("bin", "lib", "lib64"):
            if (root / "usr" / name).is_dir():
                (root / name).symlink_to("usr/" + name)
        told = self.told("--stack-root", root, "--sandbox", "bwrap")
        self.assertEqual(self.of(told, "git")[0]["health"], "worry")
        self.assertIn("install git", self.of(told, "git")[0]["remedy"])
        self.assertEqual(self.of(told, "ssh")[0]["health"], "worry")

    def test_bad_input(self):
        self.doctor("surplus", expect=2)
        self.doctor("--sandbox", "none", expect=2)
        self.doctor("--format", "xml", expect=2)


if __name__ == "__main__":
    main()
