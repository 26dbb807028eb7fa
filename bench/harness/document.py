"""What the page says of the results: text and tables here and in the parts, pictures in plots.py."""

import churn
import figures
import goals
import markdown
import micro
import operations
import scaling
import slugs
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
PARTS = {"slug": slugs, "churn": churn, "scaling": scaling, "micro": micro}


def sections(results):
    """{name: Markdown} of what was measured; the page has a place for each."""
    found = {"machine": machine(results["machine"])}
    for corpus, kind, figs in figures.select(results):
        about = results["corpora"].get(corpus, {})
        found[f"{corpus}-{kind}"] = markdown.join(
            describe(corpus, about), markdown.verdicts(goals.judge(corpus, figs, about)), times(figs), limits(figs),
            stores(figs), resources(figs), markdown.picture(f"{corpus}-{kind}"))
    for name, part in PARTS.items():
        if results.get(name):
            found[name] = part.section(results[name])
    return found


def machine(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["tools"].items())
    return (f"{about['cores']} cores of {about['processor']}, {about['memory_bytes'] / 2**30:.0f} GiB of memory, "
            f"{about['system']}, kernel {about['kernel']}; the scratch directory is on {about['scratch']}. {versions}. "
            f"The latest command was `{about['command']}`, at commit {about['commit']} on {about['date']}.")


def describe(corpus, about):
    words = CORPORA.get(corpus, corpus)
    if "files" in about:
        words += f". {about['files']:,} file{'s' * (about['files'] > 1)}, {goals.size(about['bytes'])}."
    if "changed_files" in about:
        words += (f" v2 has {about['changed_files']:,} new or changed files, {goals.size(about['changed_bytes'])}; they "
                  f"alone, by `zstd -3`, are the floor of what can go up: {goals.size(about['floor_bytes'])}.")
    return words


def times(found):
    shown = [name for name in operations.OPERATIONS if any(found.median(name, tool) for tool in found.tools)]
    rows = [[TITLES.get(tool, tool), *[timing(found, name, tool) for name in shown]] for tool in found.tools]
    return markdown.table(["seconds", *shown], rows)


def limits(found):
    rows = [[title, timing(found, "limit", name)] for name, title in LIMITS.items() if found.median("limit", name)]
    return rows and markdown.table(["limit of this machine", "seconds"], rows)


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
    return markdown.table(["bytes and objects written", *SAVES, "kept after v1 and v2"], rows)


def resources(found):
    rows = []
    for tool in found.tools:
        row = [TITLES.get(tool, tool), goals.size(found.peak(tool))]
        for operation in ("save-first", "save-unchanged", "save-v2", "restore-fresh"):
            spent = found.median(operation, tool, "cpu")
            row.append("–" if spent is None else f"{spent:.2f}")
        for operation in ("save-unchanged", "restore-fresh"):
            asked = found.median(operation, tool, "requests")
            row.append("–" if asked is None else f"{asked:.0f}")
        rows.append(row)
    return markdown.table(["", "peak memory", "CPU s: save-first", "save-unchanged", "save-v2", "restore-fresh",
                  "requests: save-unchanged", "restore-fresh"], rows)
