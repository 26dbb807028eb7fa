"""What a compiler leaves behind: headers, and objects of several configurations with debug information."""

import concurrent.futures
import os
import subprocess
import tempfile
import pathlib

import debian

VERSION = 1
CONFIGURATIONS = {"debug": ["-O0", "-g3"], "checked": ["-O1", "-g"], "release": ["-O2", "-g"], "small": ["-Os", "-g"]}
# One in so many objects is built anew for v2: 1 % of all files.
REBUILT = 25
# The change that they are rebuilt for.
CHANGE = "struct changed_for_v2 { int member; };\nextern struct changed_for_v2 *changed_for_v2;\n"


def build(pins, corpus):
    chosen = [line.split() for line in (pins / "packages").read_text().splitlines() if not line.startswith("#")]
    with tempfile.TemporaryDirectory(dir=corpus.first.parent) as name:
        scratch = pathlib.Path(name)
        (scratch / "debs").mkdir()
        debian.download([pin for kind, pin in chosen if kind == "headers"], scratch / "debs")
        debian.unpack(scratch / "debs", scratch / "root")
        corpus.first.mkdir()
        (scratch / "root/usr/include").rename(corpus.first / "include")
        debian.fetch_sources([pin for kind, pin in chosen if kind == "source"], scratch)
        units = list(_units(scratch))
        (corpus.first / "objects").mkdir()
        _compile_all(scratch, corpus.first, units, [])
        subprocess.run(["cp", "-a", corpus.first, corpus.second], check=True)
        (scratch / "changed.h").write_text(CHANGE)
        _compile_all(scratch, corpus.second, units[::REBUILT], ["-include", "changed.h"])


def _units(scratch):
    """(object, argument list without the object) of each compilation, with paths relative to the scratch directory."""
    musl = next(scratch.glob("musl-*/"))
    yaml = next(scratch.glob("yaml-cpp-*/"))
    _prepare_musl(musl)
    musl_includes = [f"-I{musl.name}/{path}" for path in
                     ("arch/x86_64", "arch/generic", "obj/src/internal", "src/include", "src/internal", "obj/include",
                      "include")]
    for configuration, flags in CONFIGURATIONS.items():
        for source in sorted(musl.glob("src/*/*.c")):
            yield (f"{configuration}/{source.relative_to(musl)}.o".replace("/src/", "/"),
                   ["gcc", "-std=c99", "-nostdinc", "-ffreestanding", "-w", "-D_XOPEN_SOURCE=700", *flags,
                    *musl_includes, "-c", str(source.relative_to(scratch))])
        for source in sorted(yaml.glob("src/**/*.cpp")):
            yield (f"{configuration}/yaml/{source.stem}.o",
                   ["g++", "-w", *flags, f"-I{yaml.name}/include", "-c", str(source.relative_to(scratch))])


def _prepare_musl(musl):
    subprocess.run(["./configure"], cwd=musl, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["make", "obj/include/bits/alltypes.h", "obj/include/bits/syscall.h", "obj/src/internal/version.h"],
                   cwd=musl, check=True, stdout=subprocess.DEVNULL)


def _compile_all(scratch, state, units, more):
    def compile_one(unit):
        name, command = unit
        target = state / "objects" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([*command, *more, "-o", target, f"-ffile-prefix-map={scratch}=."], cwd=scratch)
        return done.returncode == 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = list(pool.map(compile_one, units)).count(False)
    if failed > len(units) // 20:
        raise RuntimeError(f"{failed} of {len(units)} objects could not be compiled")
