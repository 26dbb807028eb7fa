"""What the measurements were taken on."""

import datetime
import os
import pathlib
import platform
import subprocess


def describe():
    return {
        "cores": os.cpu_count(),
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory_bytes": int(_field("/proc/meminfo", "MemTotal").split()[0]) * 1024,
        "kernel": platform.release(),
        "system": _field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "date": datetime.date.today().isoformat(),
        "commit": _output("git", "-C", str(pathlib.Path(__file__).parent), "describe", "--always", "--dirty"),
        "scratch": _output("stat", "-f", "-c", "%T", "/var/tmp"),
        "tools": {name: _version(name) for name in ("tar", "zstd", "restic", "casync", "borg", "rsync", "pigz")},
    }


def _field(path, name, separator=":"):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.split(separator)[0].strip() == name:
                return line.split(separator, 1)[1].strip()
    return ""


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def _version(program):
    """The first word of its version that begins with a digit."""
    option = "version" if program == "restic" else "--version"
    words = _output(program, option).replace("v", " ").split()
    return next((word.rstrip(",") for word in words if word[0].isdigit()), "absent")
