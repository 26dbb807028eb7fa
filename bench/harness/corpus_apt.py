"""What a buildpack for Debian packages keeps: .deb files, which nothing compresses any further."""

import subprocess

import debian

VERSION = 1


def build(pins, corpus):
    """v2 has two packages more, and one less."""
    first, second = (set((pins / name).read_text().split()) for name in ("v1", "v2"))
    archives = corpus.first / "archives"
    (archives / "partial").mkdir(parents=True)
    debian.download(sorted(first), archives)
    subprocess.run(["cp", "-a", corpus.first, corpus.second], check=True)
    for pin in first - second:
        for path in (corpus.second / "archives").glob(pin.split("=")[0] + "_*.deb"):
            path.unlink()
    debian.download(sorted(second - first), corpus.second / "archives")
