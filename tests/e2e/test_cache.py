"""The cache directory is there again, exactly as it was left, and the traps that real buildpacks set."""

import os
import subprocess

from harness import EndToEnd, main

# Prints the tree of CACHE_DIR between two marks, with everything that must survive. The names may hold any byte.
LIST = r"""
list() { echo "BEGIN-$1"; (cd "$2" && find . -mindepth 1 -printf '%y %m %T@ %s %l %p\n' | LC_ALL=C sort); echo "END-$1"; }
"""
FILL = r"""
cd "$2"
mkdir -p dir/empty deep/a/b/c closed sticky
echo content >dir/file; : >dir/zero; echo run >dir/run; chmod 755 dir/run; chmod 600 dir/zero; chmod 400 dir/file
ln -s file dir/link; ln -s /nowhere/at/all dangling; ln -s ../../.. dir/up
ln dir/file deep/hard
printf 'odd' >"$(printf 'b\xff\xfed name')"; printf 'x' >"$(printf 'new\nline')"; printf y >'-dash'; printf z >'q"u\o'"'te"
perl -e 'open F, ">", "sparse" or die; seek F, 64 << 20, 0; print F "end"; close F'
head -c 3000000 /dev/urandom >random; yes line | head -c 2000000 >repetitive
chmod 1777 sticky; echo in >closed/inner; chmod 444 closed/inner; chmod 555 closed
touch -d '2001-02-03 04:05:06.123456789' dir/file; touch -h -d '1999-01-01 00:00:00.000000001' dangling
touch -d '2030-01-01 00:00:00.5' dir; touch -d '1970-01-01 00:00:00.25 UTC' closed
"""


def listing(outcome, mark):
    return outcome.stdout.split(b"BEGIN-" + mark)[1].split(b"END-" + mark)[0]


class RoundTrip(EndToEnd):
    def test_everything_survives(self):
        fill = self.buildpack("same", compile=LIST + "(" + FILL + ')\nlist cold "$2"')
        cold = self.build(self.app(), packs=[fill])
        self.forget_everything_local()
        look = self.buildpack("same", compile=LIST + 'list warm "$2"\n'
                              'cd "$2"; [ dir/file -ef deep/hard ] && echo "hard=[yes]"; echo "blocks=[$(stat -c %b sparse)]"\n'
                              'echo "owner=[$(find . ! -user "$(id -u)" | wc -l)]"')
        warm = self.build(self.app(), packs=[look])
        self.assertEqual(warm.restore["outcome"], "hit")
        lines = lambda raw: [line.strip() for line in raw.split(b"\n")]
        self.assertEqual(lines(listing(warm, b"warm")), lines(listing(cold, b"cold")))
        self.assertIn(b"b\xff\xfed name", listing(warm, b"warm"))
        self.assertEqual((warm.said("hard"), warm.said("owner")), ("yes", "0"))
        self.assertLess(int(warm.said("blocks")), 20000)

    def test_nothing_changed_means_nothing_is_uploaded(self):
        pack = self.buildpack(compile='[ -e "$2/data" ] || head -c 2000000 /dev/urandom >"$2/data"')
        self.build(self.app(), packs=[pack])
        before = self.objects("apps/demo/cache")
        warm = self.build(self.app(), packs=[pack])
        self.assertEqual(warm.save["outcome"], "unchanged")
        self.assertEqual((warm.save["uploaded_bytes"], warm.save["uploaded_objects"], warm.save["read_bytes"]), (0, 0, 0))
        self.assertEqual(self.objects("apps/demo/cache"), before)

    def test_only_what_changed_is_read_and_uploaded(self):
        pack = self.buildpack(compile='mkdir -p "$2/many"; [ -e "$2/data" ] || head -c 4000000 /dev/urandom >"$2/data"\n'
                                      'date +%s%N >"$2/many/new-$(ls "$2/many" | wc -l)"')
        self.build(self.app(), packs=[pack])
        warm = self.build(self.app(), packs=[pack])
        self.assertEqual((warm.save["outcome"], warm.save["added"], warm.save["removed"]), ("saved", 1, 0))
        self.assertLess(warm.save["read_bytes"], 100000)
        self.assertLess(warm.save["uploaded_bytes"], 100000)

    def test_a_change_of_mode_an_empty_directory_and_a_dangling_link_are_noticed(self):
        self.build(self.app(), packs=[self.buildpack("same", compile='echo x >"$2/file"; ln -s gone-a "$2/link"')])
        for change, check in (('chmod 751 "$2/file"', '[ "$(stat -c %a "$2/file")" = 751 ]'),
                              ('mkdir "$2/empty"', '[ -d "$2/empty" ]'),
                              ('rmdir "$2/empty"', '[ ! -e "$2/empty" ]'),
                              ('ln -sfn gone-b "$2/link"', '[ "$(readlink "$2/link")" = gone-b ]'),
                              ('touch -d "2011-11-11 11:11:11.111111111" "$2/file"',
                               '[ "$(stat -c %y "$2/file" | cut -c 1-29)" = "2011-11-11 11:11:11.111111111" ]'),
                              ('ln "$2/file" "$2/hard"', '[ "$2/file" -ef "$2/hard" ]'),
                              ('rm "$2/file" "$2/hard"', '[ ! -e "$2/file" ]')):
            changed = self.build(self.app(), packs=[self.buildpack("same", compile=change)])
            self.assertEqual(changed.save["outcome"], "saved", change)
            self.build(self.app(), packs=[self.buildpack("same", compile=check)])

    def test_links_are_not_followed_out_of_the_cache(self):
        pack = self.buildpack(compile='ln -s /usr "$2/usr"; ln -s /etc/passwd "$2/passwd"')
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual((outcome.save["entries"] <= 3, outcome.save["bytes"]), (True, 0))
        self.build(self.app(), packs=[self.buildpack(compile='[ -L "$2/usr" ] && [ -L "$2/passwd" ]')])

    def test_setuid_bits_do_not_survive_and_sockets_are_skipped(self):
        pack = self.buildpack(compile='cp /bin/true "$2/suid"; chmod 6755 "$2/suid"; mkfifo "$2/fifo"\n'
                                      'perl -MIO::Socket::UNIX -e \'IO::Socket::UNIX->new(Local => "$ARGV[0]/sock", Listen => 1) or die\' "$2"; touch "$2/x"')
        outcome = self.build(self.app(), packs=[pack])
        self.assertEqual(outcome.save["outcome"], "saved")
        check = '[ -e "$2/x" ] && [ "$(stat -c %a "$2/suid")" = 755 ] && [ ! -e "$2/fifo" ] && [ ! -e "$2/sock" ]'
        self.build(self.app(), packs=[self.buildpack(compile=check)])


class Traps(EndToEnd):
    def test_the_cache_directory_itself_may_be_removed(self):
        self.build(self.app(), packs=[self.buildpack(compile='touch "$2/old"')])
        self.build(self.app(), packs=[self.buildpack(compile='rm -rf "$2" && mkdir "$2" && touch "$2/new"')])
        self.build(self.app(), packs=[self.buildpack(compile='[ ! -e "$2/old" ] && [ -e "$2/new" ]')])

    def test_it_may_be_removed_and_left_away(self):
        self.build(self.app(), packs=[self.buildpack(compile='touch "$2/old"')])
        self.assert_ok(self.build(self.app(), packs=[self.buildpack(compile='rm -rf "$2"')]))
        self.build(self.app(), packs=[self.buildpack(compile='[ -d "$2" ] && [ -z "$(ls -A "$2")" ]')])

    def test_it_may_be_renamed(self):
        body = 'touch "$2/kept"; mv "$2" "$2.aside" && mv "$2.aside" "$2"'
        self.build(self.app(), packs=[self.buildpack(compile=body)])
        self.build(self.app(), packs=[self.buildpack(compile='[ -e "$2/kept" ]')])

    def test_trees_move_between_the_cache_and_the_build_without_a_copy(self):
        rename = "perl -e 'rename $ARGV[0], $ARGV[1] or die \"rename: $!\"' "
        body = (f'mkdir -p "$2/modules/m"; touch "$2/modules/m/f"; {rename} "$2/modules" "$1/modules" && '
                f'{rename} "$1/modules/m" "$2/m"; echo $?')
        self.build(self.app(), packs=[self.buildpack(compile=body)])
        body = f'[ -e "$2/m/f" ] && {rename} "$2/m" "$1/m" && {rename} "$1/m" "$2/m"'
        self.build(self.app(), packs=[self.buildpack(compile=body)])

    def test_hard_links_between_the_cache_and_the_build_are_harmless(self):
        body = 'echo data >"$2/file"; chmod 640 "$2/file"; cp --link "$2/file" "$1/file"'
        self.build(self.app({".slugignore-post": "nothing\n"}), packs=[self.buildpack(compile=body)])
        check = '[ "$(stat -c %a "$2/file")" = 640 ] && [ "$(cat "$2/file")" = data ]'
        warm = self.build(self.app(), packs=[self.buildpack(compile=check)])
        self.assertEqual(warm.save["outcome"], "unchanged")

    def test_a_read_only_directory_can_be_left_and_restored(self):
        body = 'mkdir -p "$2/pkg/mod" "$1/pkg/mod"; touch "$2/pkg/mod/f" "$1/pkg/mod/f"; chmod -R a-w "$2/pkg" "$1/pkg"'
        self.build(self.app(), packs=[self.buildpack(compile=body)])
        self.build(self.app(), packs=[self.buildpack(compile='[ "$(stat -c %a "$2/pkg/mod")" = 555 ]')])

    def test_the_content_is_not_second_guessed(self):
        self.build(self.app(), "--stack", "heroku-24", packs=[self.buildpack(compile='echo other-stack >"$2/STACK"')])
        self.build(self.app(), "--stack", "heroku-24", packs=[self.buildpack(compile='[ "$(cat "$2/STACK")" = other-stack ]')])


class Kept(EndToEnd):
    def test_an_emptied_cache_stays_empty(self):
        self.build(self.app(), packs=[self.buildpack(compile='touch "$2/old" "$2/.hidden"')])
        self.build(self.app(), packs=[self.buildpack(compile='rm -rf "${2:?}"/* "${2:?}"/.h*')])
        outcome = self.build(self.app(), packs=[self.buildpack(compile='[ -z "$(ls -A "$2")" ]')])
        self.assertIn(outcome.restore["outcome"], ("hit", "miss"))

    def test_a_failed_build_keeps_the_last_good_one(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo good >"$2/state"')])
        self.build(self.app(), packs=[self.buildpack(compile='rm -rf "$2"; mkdir "$2"; echo bad >"$2/state"; exit 1')], expect=1)
        self.build(self.app(), packs=[self.buildpack(compile='[ "$(cat "$2/state")" = good ]')])

    def test_apps_and_stacks_do_not_share(self):
        fill, empty = self.buildpack("fill", compile='touch "$2/x"'), self.buildpack("empty", compile='[ ! -e "$2/x" ]')
        self.build(self.app(), packs=[fill], app="one")
        for arguments in (("--stack", "heroku-24"), ("--stack", "heroku-22")):
            self.build(self.app(), *arguments, packs=[empty], app="two")
        other = self.build(self.app(), "--stack", "heroku-22", packs=[empty], app="one")
        self.assertEqual(other.restore["outcome"], "miss")
        self.build(self.app(), packs=[self.buildpack("same", compile='[ -e "$2/x" ]')], app="one")

    def test_off_restores_and_saves_nothing(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo 1 >"$2/x"')])
        outcome = self.build(self.app(), "--cache", "off", packs=[self.buildpack(compile='[ ! -e "$2/x" ]; echo 2 >"$2/x"')])
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("off", "off"))
        self.build(self.app(), packs=[self.buildpack(compile='[ "$(cat "$2/x")" = 1 ]')])

    def test_read_only_restores_only(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo 1 >"$2/x"')])
        outcome = self.build(self.app(), "--cache", "read-only", packs=[self.buildpack(compile='[ "$(cat "$2/x")" = 1 ] && echo 2 >"$2/x"')])
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("hit", "off"))
        self.build(self.app(), packs=[self.buildpack(compile='[ "$(cat "$2/x")" = 1 ]')])

    def test_refresh_starts_empty_and_saves(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo 1 >"$2/x"; touch "$2/y"')])
        outcome = self.build(self.app(), "--cache", "refresh", packs=[self.buildpack(compile='[ -z "$(ls -A "$2")" ] && echo 2 >"$2/x"')])
        self.assertEqual((outcome.restore["outcome"], outcome.save["outcome"]), ("off", "saved"))
        self.build(self.app(), packs=[self.buildpack(compile='[ "$(cat "$2/x")" = 2 ] && [ ! -e "$2/y" ]')])

    def test_a_config_var_of_the_app_may_switch_it_off(self):
        self.build(self.app(), packs=[self.buildpack(compile='echo 1 >"$2/x"')])
        outcome = self.build(self.app(), "--env", "HEARTH_CACHE=off", packs=[self.buildpack(compile='[ ! -e "$2/x" ]')])
        self.assertEqual(outcome.restore["outcome"], "off")

    def test_a_config_var_of_the_app_may_not_move_the_store(self):
        elsewhere = self.root / "elsewhere"
        outcome = self.build(self.app(), "--env", f"HEARTH_STORE=file://{elsewhere}", packs=[self.buildpack(compile='touch "$2/x"')])
        self.assertEqual(outcome.save["outcome"], "saved")
        self.assertFalse(elsewhere.exists())
        self.assertTrue(self.objects("apps/demo/cache"))

    def test_generations_do_not_pile_up(self):
        pack = self.buildpack(compile='head -c 2000000 /dev/urandom >"$2/data"')
        for _ in range(6):
            self.build(self.app(), packs=[pack])
        size = sum(path.stat().st_size for path in self.objects("apps/demo/cache"))
        self.assertLess(size, 20 * 2000000)
        self.assertEqual(self.build(self.app(), packs=[pack]).restore["outcome"], "hit")


class Cost(EndToEnd):
    def test_many_small_files_are_few_objects(self):
        pack = self.buildpack(compile='[ -d "$2/d" ] || perl -e \'mkdir "$ARGV[0]/d"; for my $i (0 .. 4999) { open my $f, ">", "$ARGV[0]/d/$i" or die; '
                                      'print $f "content of $i\\n" x 20 } \' "$2"')
        cold = self.build(self.app(), packs=[pack])
        self.assertEqual(cold.save["entries"] // 5000, 1)
        self.assertLess(len(self.objects("apps/demo/cache")), 8)
        warm = self.build(self.app(), packs=[pack])
        self.assertEqual((warm.restore["outcome"], warm.save["outcome"]), ("hit", "unchanged"))
        self.assertLess(warm.report["store"]["requests"]["get"], 10)
        self.assertEqual(warm.save["read_bytes"], 0)

    def test_memory_does_not_grow_with_the_cache(self):
        pack = self.buildpack(compile='[ -e "$2/big" ] || head -c 400000000 /dev/urandom >"$2/big"; touch "$2/big"')
        for _ in range(2):
            process = self.start("build", self.app(), "--app", "demo", "--buildpack", pack, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.running_processes.remove(process)
            self.assertEqual(process.returncode, 0)
            self.assertLess(used.ru_maxrss * 1024, 256 << 20)


if __name__ == "__main__":
    main()
