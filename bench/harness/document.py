"""Writes the page from the results: text and tables here, pictures in plots.py."""

import pathlib

import figures
import goals
import operations
import tools

TITLES = {tool.name: tool.title for tool in (tools.Hearth, *tools.PEERS)}
LIMITS = {
    "find": "`find -printf '%p %s %T@ %C@ %i'`",
    "stat": "stat walk on all cores",
    "hash": "walk + read + SHA-256 on all cores",
    "create": "the same files from memory on all cores",
    "difference": "stat walk + writing what differs from memory",
}
SAVES = ("save-first", "save-unchanged", "save-v2", "save-touched")
CORPORA = {
    "node": "node_modules and npm's cache; v2: one package more, two in newer versions",
    "apt": ".deb files, incompressible; v2: two more, one less",
    "objects": "headers, and objects with debug information; v2: 1 % of the files rebuilt",
    "tiny": "50 small files; v2: three of them changed",
    "large": "one file; v2: 64 KiB overwritten in three places",
}
NOTES = pathlib.Path(__file__).resolve().parent.parent / "notes.md"


def write(results, draw=None):
    """The page in Markdown. `draw(name, figures)` makes the pictures of a corpus, and says their paths."""
    parts = [NOTES.read_text().strip(), machine(results["machine"])]
    for corpus, kind, found in figures.select(results):
        about = results["corpora"].get(corpus, {})
        parts += [f"## {corpus} on {kind}", describe(corpus, about), verdicts(corpus, found, about), times(found),
                  limits(found), stores(found), resources(found)]
        parts += [f"![{path.stem}]({path})" for path in (draw(corpus, kind, found) if draw else ())]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["tools"].items())
    return (f"## The machine\n\n{about['cores']} cores of {about['processor']}, "
            f"{about['memory_bytes'] / 2**30:.0f} GiB of memory, {about['system']}, kernel {about['kernel']}; the scratch "
            f"directory is on {about['scratch']}. Hearth {about.get('hearth', '')}; {versions}.\n\n"
            f"These tables come from `{about.get('command', 'bench/run')}`.")


def describe(corpus, about):
    if "files" not in about:
        return CORPORA.get(corpus, "")
    return (f"{CORPORA.get(corpus, corpus)}. {about['files']:,} files, {goals.size(about['bytes'])}. v2 has "
            f"{about['changed_files']:,} new or changed files, {goals.size(about['changed_bytes'])}; they alone, by "
            f"`zstd -3`, are the floor of what can go up: {goals.size(about['floor_bytes'])}.")


def verdicts(corpus, found, about):
    rows = [[verdict.goal, verdict.measured, verdict.reference, verdict.ratio, "yes" if verdict.met else "**no**"]
            for verdict in goals.judge(corpus, found, about)]
    return rows and table(["goal", "hearth", "to compare", "ratio (lowest–highest of a round)", "met"], rows)


def times(found):
    shown = [name for name in operations.OPERATIONS if any(found.median(name, tool) for tool in found.tools)]
    rows = [[TITLES.get(tool, tool), *[timing(found, name, tool) for name in shown]] for tool in found.tools]
    return table(["seconds", *shown], rows)


def limits(found):
    rows = [[title, timing(found, "limit", name)] for name, title in LIMITS.items() if found.median("limit", name)]
    return rows and table(["limit of this machine", "seconds"], rows)


def timing(found, operation, tool):
    middle = found.median(operation, tool)
    if middle is None:
        return "–"
    ends = found.spread(operation, tool)
    digits = 3 if middle < 1 else 2
    return f"{middle:.{digits}f}" + (f" ({ends[0]:.{digits}f}–{ends[1]:.{digits}f})" if ends else "")


def stores(found):
    rows = []
    for tool in found.tools:
        row = [TITLES.get(tool, tool)]
        for operation in SAVES:
            written = found.median(operation, tool, "bytes")
            objects = found.median(operation, tool, "objects")
            row.append("–" if written is None else f"{goals.size(written)} in {objects:.0f}")
        rows.append([*row, goals.size(found.median("save-v2", tool, "kept_bytes"))])
    return table(["bytes and objects written", *SAVES, "kept after v1 and v2"], rows)


def resources(found):
    rows = []
    for tool in found.tools:
        row = [TITLES.get(tool, tool), goals.size(found.peak(tool))]
        for operation in ("save-first", "save-unchanged", "save-v2", "restore-fresh"):
            spent = found.median(operation, tool, "cpu")
            row.append("–" if spent is None else f"{spent:.2f}")
        for operation in ("save-unchanged", "save-v2", "restore-fresh"):
            asked = found.median(operation, tool, "requests")
            row.append("–" if asked is None else f"{asked:.0f}")
        rows.append(row)
    return table(["", "peak memory", "CPU s: save-first", "save-unchanged", "save-v2", "restore-fresh",
                  "requests: save-unchanged", "save-v2", "restore-fresh"], rows)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
