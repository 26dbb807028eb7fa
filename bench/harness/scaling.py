"""How time and memory grow: with the number of files, and with the size of one file."""

import itertools
import shutil

import goals
import markdown
import measuring
from tools import HEARTH, TarZstd
from volumes import GIB

FILES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
GIGABYTES = (1, 2, 5, 10, 20)
# Of the largest amount's seconds for one unit, to those of the amount in the middle.
LINEAR = 1.5
MEMORY_PER_FILE = 200
TITLES = {"save-first": "save, first", "save-unchanged": "save, unchanged", "restore-fresh": "restore"}
UNITS = {"files": "files", "bytes": "GB in one file"}


def measure(session, hearth, files=FILES, gigabytes=GIGABYTES):
    """A dict a run; `by` says what grows: "files" or "bytes", and `amount` how much there is of it."""
    records = []
    for count in files:
        records += _measure(session, "files", count, [hearth, TarZstd()], count + count // 100 + 10_000,
                            ("generate", count))
    for size in gigabytes:
        amount = size * 1_000_000_000
        # The file and its store; later the restored file and its store.
        if shutil.disk_usage(session.volumes.scratch).free < 1.8 * amount + 4 * GIB:
            session.say(f"scaling: no room for a file of {size} GB; left out")
        else:
            records += _measure(session, "bytes", amount, [hearth], 10_000, ("generate-file", amount))
    return records


def _measure(session, by, amount, tools, inodes, generate):
    records = []

    def record(operation, tool, result):
        records.append({"by": by, "amount": amount, "operation": operation, "tool": tool, **result})

    with session.volumes.fresh(inodes=inodes, room=64 * GIB) as work:
        places = {tool: session.place(work, tool) for tool in tools}
        with session.volumes.fresh(inodes=inodes, room=64 * GIB) as source:
            tree = source / "tree"
            tree.mkdir()
            session.measuring.generate(generate[0], tree / "file" if by == "bytes" else tree, generate[1])
            measuring.sync(source)
            for tool in tools:
                for number, operation in enumerate(("save-first", "save-unchanged")[:1 + tool.repeats]):
                    session.measuring.warm(tree)
                    command = tool.save(places[tool], tree, number)
                    record(operation, tool.name, session.measuring.run(command, work, places[tool].home))
            record("limit", "read", {"seconds": session.measuring.limit("read", tree)})
        for tool in tools:
            with session.volumes.fresh(inodes=inodes, room=64 * GIB) as target:
                (target / "tree").mkdir()
                session.measuring.warm(places[tool].store)
                command = tool.restore(places[tool], target / "tree")
                record("restore-fresh", tool.name, session.measuring.run(command, target, places[tool].home))
    session.say(f"scaling: {amount:,} {by}")
    return records


def series(records, by, operation, metric, tool=HEARTH):
    """[(amount, value)] in the order of the amounts."""
    return sorted((record["amount"], record[metric]) for record in records
                  if (record["by"], record["operation"], record["tool"]) == (by, operation, tool))


def judge(records):
    for by, operation in itertools.product(UNITS, TITLES):
        points = series(records, by, operation, "seconds")
        if len(points) > 2:
            (middle, some), (most, all_of_it) = points[len(points) // 2], points[-1]
            ratio = (all_of_it / most) / (some / middle)
            yield goals.Verdict(f"{TITLES[operation]}: {_amount(by, most)} cost ≤ {LINEAR} × as much each as "
                                f"{_amount(by, middle)}", goals.seconds(all_of_it), goals.seconds(some), f"{ratio:.2f}",
                                ratio <= LINEAR)
    for by in UNITS:
        peaks = [max(peak for _, peak in same) for _, same in itertools.groupby(
            sorted(itertools.chain(*(series(records, by, operation, "memory") for operation in TITLES))),
            lambda point: point[0])]
        amounts = sorted({record["amount"] for record in records if record["by"] == by})
        if peaks:
            bound = goals.MOST_MEMORY + (MEMORY_PER_FILE * amounts[-1] if by == "files" else 0)
            words = "≤ 160 MB and 200 bytes a file" if by == "files" else "≤ 160 MB"
            yield goals.Verdict(f"peak memory at {_amount(by, amounts[-1])}: {words}", goals.size(peaks[-1]),
                                goals.size(bound), "", peaks[-1] <= bound)


def section(records):
    parts = [markdown.verdicts(judge(records))]
    for by, unit in UNITS.items():
        amounts = sorted({record["amount"] for record in records if record["by"] == by})
        if not amounts:
            continue
        rows = [[_number(by, amount), *(_cell(records, by, amount, operation, "seconds") for operation in TITLES),
                 *(_cell(records, by, amount, operation, "seconds", "tar-zstd") for operation in TITLES
                   if operation != "save-unchanged"), _cell(records, by, amount, "limit", "seconds", "read"),
                 *(_cell(records, by, amount, operation, "memory") for operation in TITLES)] for amount in amounts]
        head = [unit, *TITLES.values(), "tar + zstd: save", "restore", "reading alone",
                *(f"memory: {title}" for title in TITLES.values())]
        parts += [markdown.table(head, rows), markdown.picture(f"scaling-{by}")]
    return markdown.join(*parts)


def _cell(records, by, amount, operation, metric, tool=HEARTH):
    value = dict(series(records, by, operation, metric, tool)).get(amount)
    return goals.seconds(value) if metric == "seconds" else goals.size(value)


def _number(by, amount):
    return f"{amount:,}" if by == "files" else f"{amount / 1e9:.3g}"


def _amount(by, amount):
    return f"{_number(by, amount)} {UNITS[by]}"
