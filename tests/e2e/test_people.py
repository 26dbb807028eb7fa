"""What people see of the program beside its answers: progress, completions, man pages, and docs that agree with it."""

import contextlib
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import time
import unittest

from harness import BINARY, PATIENCE, SOURCE_DIR, EndToEnd, main, write_tree

ERASE = "\r\x1b[K"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def screen_of(text):
    """The lines that stay on a terminal to which this was written, and how often the last one was erased."""
    lines, current, column = [], [], 0
    erased = 0
    position = 0
    text = COLOURS.sub("", text)
    while position < len(text):
        if text.startswith("\x1b[K", position):
            del current[column:]
            erased += 1
            position += 3
            continue
        character = text[position]
        position += 1
        if character == "\n":
            lines.append("".join(current))
            current, column = [], 0
        elif character == "\r":
            column = 0
        else:
            current[column:column + 1] = [character]
            column += 1
    if current:
        lines.append("".join(current))
    return lines, erased


class Progress(EndToEnd):
    # Slow to compress at the highest level: seconds of work on any machine.
    LARGE = 6_000_000

    def large_tree(self):
        return write_tree(self.root / "home" / "tree", {f"part{n}": os.urandom(self.LARGE // 8).hex() for n in range(4)})

    def on_terminal(self, *arguments, paused=0, env=None, both=False):
        """Runs with stderr (and stdout, where `both`) on a terminal; held for `paused` seconds soon after its start."""
        ours, theirs = pty.openpty()
        process = self.start(*arguments, env={"TERM": "xterm", **(env or {})}, stderr=theirs,
                             stdout=theirs if both else subprocess.PIPE)
        os.close(theirs)
        if paused:
            time.sleep(0.4)
            process.send_signal(signal.SIGSTOP)
            time.sleep(paused)
            process.send_signal(signal.SIGCONT)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        os.close(ours)
        outcome = self.finish(process)
        return outcome, seen.decode("utf-8", "replace").replace("\r\n", "\n")

    def test_on_a_terminal_one_line_is_redrawn_and_gone_at_the_end(self):
        tree = self.large_tree()
        outcome, seen = self.on_terminal("cache", "save", tree, "--app", "demo", "--compression-level", "19", "--save-deadline", "10m")
        self.assertEqual(outcome.code, 0, seen)
        self.assertIn("saved generation", outcome.log)
        drawn = re.findall(r"saving the cache \[[=> ]*\] (\d+)%", seen)
        self.assertGreater(len(drawn), 2, seen)
        self.assertEqual(drawn, sorted(drawn, key=int), "it never goes back")
        self.assertRegex(seen, r"\d+%, [0-9.]+ [kM]?B/s, .* left")
        lines, erased = screen_of(seen)
        self.assertEqual(lines, [], "nothing of it stays")
        self.assertGreaterEqual(erased, len(drawn))
        for line in seen.split(ERASE):
            self.assertLess(len(line), 80)

    def test_elsewhere_lines_come_seldom(self):
        tree = self.large_tree()
        process = self.start("cache", "save", tree, "--app", "demo", "--compression-level", "19", "--save-deadline", "10m", env={"TERM": "xterm"})
        time.sleep(0.3)
        process.send_signal(signal.SIGSTOP)
        time.sleep(5.2)
        process.send_signal(signal.SIGCONT)
        outcome = self.finish(process)
        self.assertEqual(outcome.code, 0, str(outcome))
        told = [line for line in outcome.errors.splitlines() if "saving the cache" in line]
        self.assertTrue(told, str(outcome))
        self.assertLessEqual(len(told), outcome.seconds / 5 + 1)
        for line in told:
            self.assertRegex(line, r"^hearth: saving the cache: \d+% \([0-9.]+ [kM]?B of 6 MB\)(, [0-9.]+ [kM]?B/s)?(, .* left)?$")
        self.assertNotIn("\x1b", outcome.errors)

    def test_a_dumb_terminal_gets_lines(self):
        tree = self.large_tree()
        _, seen = self.on_terminal("cache", "save", tree, "--app", "demo", "--compression-level", "19", "--save-deadline", "10m", paused=5.2,
                                   env={"TERM": "dumb"})
        self.assertIn("hearth: saving the cache: ", seen)
        self.assertNotIn("\x1b", seen)

    def test_of_quick_work_nothing_is_shown(self):
        tree = write_tree(self.root / "home" / "tree", {"file": "content\n"})
        for arguments in (("cache", "save", tree, "--app", "demo"),
                          ("cache", "restore", self.root / "home" / "copy", "--app", "demo"),
                          ("cache", "verify", "demo")):
            outcome, seen = self.on_terminal(*arguments)
            self.assertEqual((outcome.code, seen), (0, ""))
            self.assertEqual(self.hearth(*arguments).errors, "")

    def test_the_log_of_a_build_is_not_torn(self):
        part = self.LARGE // 8
        compile_body = f'for n in 1 2 3 4; do head -c {part} /dev/urandom | od -An -v -tx1 > "$2/part$n"; done; echo compiled'
        pack = self.buildpack(compile=compile_body)
        for colours in ({}, {"NO_COLOR": "1"}):
            app = "plain" if colours else "coloured"
            outcome, seen = self.on_terminal("build", self.app(), "--app", app, "--buildpack", pack, "--compression-level",
                                             "19", "--save-deadline", "10m", env=colours, both=True)
            self.assertEqual(outcome.code, 0, seen)
            self.assertIn("saving the cache [", seen)
            self.assertEqual(bool(COLOURS.search(seen)), not colours)
            lines, _ = screen_of(seen)
            self.assertFalse([line for line in lines if "saving the cache [" in line], lines)
            heads = [line for line in lines if line.startswith("-----> ")]
            self.assertEqual([line for line in lines if "----->" in line], heads)
            self.assertIn("-----> Saving cache...", heads)
            self.assertRegex(lines[-1], "^       Saved 4 entries")
            kept = self.hearth("builds", "log", app).log
            self.assertNotIn("saving the cache [", kept)
            self.assertEqual([line.split(" ", 1)[1] for line in kept.splitlines() if "-----> " in line], heads)

    def test_a_restore_and_a_verification_show_theirs(self):
        tree = write_tree(self.root / "home" / "tree", {f"part{n}": os.urandom(8_000_000) for n in range(30)})
        self.assertEqual(self.hearth("cache", "save", tree, "--app", "demo").code, 0)
        for arguments, what in ((("cache", "restore", self.root / "home" / "copy", "--app", "demo"), "restoring the cache"),
                                (("cache", "verify", "demo"), "verifying demo (heroku-24, ")):
            # Held in the middle of its work, however fast the machine is; where it was too fast, once more.
            for _ in range(10):
                shutil.rmtree(self.root / "home" / "copy", ignore_errors=True)
                (self.root / "home" / ".copy.hearth").unlink(missing_ok=True)
                outcome, seen = self.held_on_terminal(*arguments)
                self.assertEqual(outcome.code, 0, seen)
                if what in seen:
                    break
            self.assertIn(what, seen)
            self.assertEqual(screen_of(seen)[0], [])

    def held_on_terminal(self, *arguments):
        ours, theirs = pty.openpty()
        process = self.start(*arguments, env={"TERM": "xterm"}, stderr=theirs)
        os.close(theirs)
        # Short steps, so that it is held somewhere between its beginning and its end.
        for _ in range(40):
            time.sleep(0.02)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.25)
            process.send_signal(signal.SIGCONT)
            if process.poll() is not None:
                break
        seen = b""
        try:
            while piece := os.read(ours, 65536):
                seen += piece
        except OSError:
            pass
        os.close(ours)
        return self.finish(process), seen.decode("utf-8", "replace").replace("\r\n", "\n")


class CommandLine(EndToEnd):
    """What the program says of its own commands: {"cache save": {"--app", …}}."""

    def commands(self, path=()):
        text = self.hearth(*path, "--help").log
        options = set(re.findall(r"^[ \t]+(?:-\w,)?(--[a-z][a-z-]*)", text, re.MULTILINE))
        found = {" ".join(path): options}
        below = text.split("Subcommands:\n")
        if len(below) > 1:
            for name in re.findall(r"^  ([a-z]+) ", below[1].split("\n\n")[0], re.MULTILINE):
                found.update(self.commands((*path, name)))
        return found

    seen = {}  # of the one binary that there is

    def setUp(self):
        super().setUp()
        if not self.seen:
            self.seen.update(self.commands())
        self.known = self.seen
        for path in ("build", "test", "run", "cache save", "cache restore", "cache verify", "store check", "builds ls",
                     "builds show", "builds log", "builds rm", "doctor", "completion", "man"):
            self.assertIn(path, self.known)

    def script(self, shell):
        path = self.root / "home" / f"completion.{shell}"
        outcome = self.hearth("completion", shell)
        self.assertEqual((outcome.code, outcome.errors), (0, ""))
        path.write_bytes(outcome.stdout)
        return path


class Docs(CommandLine):
    def test_help_and_docs_agree(self):
        text = "".join((SOURCE_DIR / "docs" / page).read_text() for page in ("cli.md", "cache.md"))
        documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
        defined = set().union(*self.known.values())
        self.assertEqual(sorted(defined - documented - {"--help", "--version"}), [], "not in docs/cli.md or docs/cache.md")
        self.assertEqual(sorted(documented - defined - {"--help", "--install", "--some-name"}), [], "in docs/cli.md or docs/cache.md alone")
        synopsis = text.split("```")[1]
        for path in self.known:
            if path and not any(other.startswith(path + " ") for other in self.known):
                self.assertIn(f"hearth {path}", synopsis)

    def test_every_help_has_examples(self):
        for path in self.known:
            if path and not any(other.startswith(path + " ") for other in self.known):
                self.assertIn("Examples:\n", self.hearth(*path.split(), "--help").log, path)

    def test_pages_name_files_that_exist(self):
        for page in [*SOURCE_DIR.glob("*.md"), *SOURCE_DIR.glob("docs/*.md")]:
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), f"{page} names {target}")

    def test_commands_in_the_guides_exist(self):
        for page in ("operator.md", "developer.md", "troubleshooting.md"):
            text = (SOURCE_DIR / "docs" / page).read_text()
            for line in re.findall(r"^(?:\$ )?hearth ([a-z].*)$", text, re.MULTILINE):
                words = line.split()
                path = words[0] if words[0] in self.known and not self.below(words[0]) else " ".join(words[:2])
                self.assertIn(path, self.known, f"{page}: hearth {line}")
                for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line.split(" -- ")[0]):
                    self.assertIn(flag, self.known[path], f"{page}: hearth {line}")

    def below(self, path):
        return any(other.startswith(path + " ") for other in self.known)

    def test_messages_in_troubleshooting_are_the_programs(self):
        """Each message that is quoted there is in the source, and says the same."""
        literals = []
        for path in (SOURCE_DIR / "src").rglob("*.cc"):
            source = path.read_text()
            # Neighbouring literals are one.
            source = re.sub(r'"\s*\n\s*"', "", source)
            literals += re.findall(r'"((?:[^"\\\n]|\\.)*)"', source)
        # What is filled in is "…" in the docs, and the longest fixed part between is looked for.
        known = "\n".join(re.sub(r"\{[^}]*\}", "…", literal.replace('\\"', '"')) for literal in literals)
        text = (SOURCE_DIR / "docs" / "troubleshooting.md").read_text()
        messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
        self.assertGreater(len(messages), 60)
        for message in messages:
            for part in (part.strip() for part in message.split("…")):
                self.assertTrue(part in known, f"no message of the program has: {part}")


class Completion(CommandLine):
    def bash(self, script, *words):
        body = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hearth 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
        told = subprocess.run(["bash", "--norc", "-c", body, str(script), "hearth", *words], capture_output=True, text=True,
                              check=True, cwd=self.root)
        return set(told.stdout.split())

    def test_bash_offers_what_help_names(self):
        script = self.script("bash")
        subprocess.run(["bash", "-n", str(script)], check=True)
        for path, options in self.known.items():
            self.assertEqual(self.bash(script, *path.split(), "--"), options, path)
        self.assertEqual(self.bash(script, "cache", ""), {path.split()[1] for path in self.known if path.startswith("cache ")})
        self.assertEqual(self.bash(script, ""), {path for path in self.known if path and " " not in path})
        self.assertEqual(self.bash(script, "build", ".", "--app", "x", "--sandbox", ""), {"auto", "bwrap", "uid", "plain"})
        self.assertEqual(self.bash(script, "build", "--sandbox", "=", "b"), {"bwrap"})
        self.assertEqual(self.bash(script, "build", "--sandbox", "="), {"auto", "bwrap", "uid", "plain"})
        self.assertEqual(self.bash(script, "completion", "f"), {"fish"})
        self.assertEqual(self.bash(script, "run", "blog", "--", "--"), set(), "that is the process' own")
        self.assertEqual(self.bash(script, "run", "cache", ""), set(), "an app may be called like a command")
        (self.root / "home" / "a folder").mkdir()
        (self.root / "home" / "a file").write_text("x")
        self.assertEqual(self.bash(script, "build", "--buildpack", "home/a f"), {"home/a", "folder"})

    def test_a_real_bash_completes(self):
        script = self.script("bash")
        seen = self.interactive(["bash", "--norc", "--noprofile", "-i"], (f"source {script}; echo rea''dy\n", "ready"),
                                ("hearth bui\t\t", r"build +builds"), ("\x15hearth builds ls --form\t", "--format "),
                                ("j\t", "json"), (" blog\n", "not found"))
        self.assertRegex(seen, r"hearth builds ls --format json +blog")

    def interactive(self, command, *steps):
        """What a shell on a terminal shows: each text is typed once what was expected of the one before is there."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                   cwd=self.root, env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": str(self.root / "home"),
                                                       "PS1": "$ "})
        os.close(theirs)
        os.set_blocking(ours, False)
        whole = ""
        for text, expected in steps:
            os.write(ours, text.encode())
            seen, limit = "", time.monotonic() + PATIENCE
            while not re.search(expected, seen) and time.monotonic() < limit:
                time.sleep(0.05)
                with contextlib.suppress(BlockingIOError, OSError):
                    seen += os.read(ours, 65536).decode("utf-8", "replace")
            whole += seen
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)
        return whole

    @needs("zsh")
    def test_zsh(self):
        script = self.script("zsh")
        subprocess.run(["zsh", "-n", str(script)], check=True)
        text = script.read_text()
        for path, options in self.known.items():
            body = re.search(rf"^_hearth{''.join('_' + word for word in path.split())}\(\) {{\n(.*?)^}}", text,
                             re.MULTILINE | re.DOTALL).group(1)
            self.assertEqual(set(re.findall(r"'\*?(--[a-z-]+)(?==?\[)", body)), options, path)
        # As a file of the search path, as it is installed.
        folder = self.root / "home" / "functions"
        folder.mkdir()
        shutil.copy(script, folder / "_hearth")
        begin = f"PROMPT='$ '; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; print rea''dy\n"
        seen = self.interactive(["zsh", "-f", "-i"], (begin, "ready"), ("hearth doc\t", "doctor"), ("--form\t", "--format"),
                                ("js\t\n", "not found"))
        self.assertRegex(seen, r"hearth doctor.*--format.*json", seen)

    @needs("fish")
    def test_fish_offers_what_help_names(self):
        script = self.script("fish")
        subprocess.run(["fish", "--no-execute", str(script)], check=True)
        lines = [f"echo '== {path}'; complete -C 'hearth {path} --'; complete -C 'hearth {path} -'" for path in self.known]
        lines += ["echo '== words'; complete -C 'hearth build --sandbox '", "echo '== below'; complete -C 'hearth builds '"]
        body = f"source {script}\n" + "\n".join(lines)
        told = subprocess.run(["fish", "--no-config", "-c", body], capture_output=True, text=True, check=True, cwd=self.root,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(self.root / "home"), "TERM": "dumb"})
        self.assertEqual(told.stderr, "")
        offered = {}
        for line in told.stdout.splitlines():
            if line.startswith("== "):
                current = offered.setdefault(line[3:], set())
            else:
                current.add(line.split("\t")[0])
        for path, options in self.known.items():
            self.assertEqual({word for word in offered[path] if word.startswith("--")}, options, path)
        self.assertEqual(offered["words"], {"auto", "bwrap", "uid", "plain"})
        self.assertEqual(offered["below"], {"ls", "show", "log", "rm"})

    def test_bad_input(self):
        self.assertIn("bash, zsh and fish", self.hearth("completion", "tcsh").errors)
        self.assertEqual(self.hearth("completion").code, 2)


class ManPages(CommandLine):
    def test_every_command_has_one_with_all_its_options(self):
        for path, options in self.known.items():
            page = self.hearth("man", *path.split())
            self.assertEqual((page.code, page.errors), (0, ""))
            told = set(re.findall(r"^\\fB(\\-\\-[a-z\\-]+)\\fR", page.log, re.MULTILINE))
            self.assertEqual({flag.replace("\\", "") for flag in told}, options, path)

    @needs("groff")
    def test_groff_has_nothing_to_complain_about(self):
        for path in self.known:
            page = self.hearth("man", *path.split()).stdout
            told = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-cbou"], input=page, capture_output=True, check=True)
            self.assertEqual(told.stderr, b"", path)
            text = told.stdout.decode()
            self.assertIn("EXAMPLES" if path and not any(o.startswith(path + " ") for o in self.known) else "COMMANDS", text)
            self.assertIn("hearth", text)

    def test_all_can_be_written(self):
        folder = self.root / "home" / "pages"
        self.assertEqual(self.hearth("man", "--directory", folder).code, 0)
        names = {f"hearth{''.join('-' + word for word in path.split())}.1" for path in self.known}
        self.assertEqual({path.name for path in folder.iterdir()}, names)
        self.assertEqual((folder / "hearth-cache-save.1").read_bytes(), self.hearth("man", "cache", "save").stdout)
        blocked = self.root / "home" / "file"
        blocked.write_text("x")
        self.assertEqual(self.hearth("man", "--directory", blocked).code, 70)

    def test_bad_input(self):
        self.assertEqual(self.hearth("man", "nonsense").code, 2)
        self.assertEqual(self.hearth("man", "cache", "--directory", "x").code, 2)


class Installation(CommandLine):
    def test_it_brings_completions_and_pages(self):
        build = pathlib.Path(BINARY).parent
        if not (build / "cmake_install.cmake").exists():
            self.skipTest(f"{build} is no build directory")
        prefix = self.root / "prefix"
        subprocess.run(["cmake", "--install", str(build), "--prefix", str(prefix)], check=True, capture_output=True,
                       env={name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")})
        share = prefix / "share"
        for file, shell in (("bash-completion/completions/hearth", "bash"), ("zsh/site-functions/_hearth", "zsh"),
                            ("fish/vendor_completions.d/hearth.fish", "fish")):
            self.assertEqual((share / file).read_bytes(), self.script(shell).read_bytes())
        self.assertEqual(len(list((share / "man" / "man1").iterdir())), len(self.known))
        self.assertTrue((prefix / "bin" / "hearth").exists())


if __name__ == "__main__":
    main()
