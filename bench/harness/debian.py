"""Packages from whatever mirror apt is set up for."""

import pathlib
import re
import subprocess
import sys

# apt's own user may not write where we do.
AS_OURSELVES = ("-o", "APT::Sandbox::User=root")


def download(pins, directory):
    """Puts the .deb of each "name=version" there. A version that the mirror has no more is replaced, and that is said."""
    _apt("download", "download", pins, directory, [])


def fetch_sources(pins, directory):
    """Unpacks each source package there. Needs no deb-src line: it reads the mirrors of the binary packages."""
    own = directory / "apt"
    (own / "lists/partial").mkdir(parents=True)
    source_list = own / ("mirrors.sources" if any(_sources("*.sources")) else "mirrors.list")
    source_list.write_text("\n".join(_as_source(path.read_text()) for path in _sources("*.sources") or _sources("*.list")))
    options = ["-o", f"Dir::Etc::SourceList={source_list}", "-o", "Dir::Etc::SourceParts=-",
               "-o", f"Dir::State::Lists={own}/lists"]
    subprocess.run(["apt-get", "-q", *AS_OURSELVES, *options, "update"], check=True, stdout=subprocess.DEVNULL)
    _apt("source", "source", pins, directory, options)


def unpack(directory, into):
    """All .debs of a directory."""
    for package in sorted(directory.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, into], check=True)


def _apt(what, command, pins, directory, options):
    tried = _run(command, pins, directory, options)
    if tried.returncode == 0:
        return
    print(f"The pinned versions could not all be had; newer ones take their place, so that figures will differ "
          f"from published ones:\n{tried.stderr.strip()}", file=sys.stderr)
    for pin in pins:
        if _run(command, [pin], directory, options).returncode != 0:
            newest = _run(command, [pin.split("=")[0]], directory, options)
            if newest.returncode != 0:
                sys.exit(f"apt-get {what} {pin}: {newest.stderr.strip()}")


def _run(command, pins, directory, options):
    return subprocess.run(["apt-get", "-q", *AS_OURSELVES, *options, command, *pins], cwd=directory,
                          text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _sources(pattern):
    etc = pathlib.Path("/etc/apt")
    single = [etc / "sources.list"] if pattern == "*.list" else []
    return [path for path in [*single, *sorted((etc / "sources.list.d").glob(pattern))] if path.is_file()]


def _as_source(text):
    return re.sub(r"(?m)^deb\b", "deb-src", re.sub(r"(?m)^Types:.*$", "Types: deb-src", text))
