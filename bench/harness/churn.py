"""Many saves in a row with something changed before each: what is kept, and what a restore costs by then."""

import pathlib
import random
import statistics
import subprocess

import goals
import markdown
import measuring

CORPUS = "objects"
INODES = 100_000
SAVES = 30
RATES = (0.002, 0.01, 0.04, 0.10)
# The last one is only shown.
JUDGED = RATES[:3]
RESTORED_EVERY = 3
# What is to be deleted has outlived any grace a day after a save, and before the next one.
DAYS_BETWEEN = 2
KEPT = 1.6
OBJECTS = 1.5
DRIFT = 1.2


def measure(session, hearth, saves=SAVES, rates=RATES):
    """A dict a save."""
    return [record for rate in rates for record in _measure(session, hearth, saves, rate)]


def _measure(session, hearth, saves, rate):
    source = random.Random(round(rate * 1000))
    records = []
    with session.volumes.fresh(inodes=INODES) as work:
        tree = work / "tree"
        session.corpus(CORPUS).place(tree)
        place = session.place(work, hearth)
        for number in range(saves + 1):
            if number > 0:
                change(tree, rate, source)
            session.measuring.warm(tree)
            before = measuring.content_of(place.store)
            command = _later(hearth.save(place, tree, number), number * DAYS_BETWEEN)
            result = session.measuring.run(command, work, place.home)
            after = measuring.content_of(place.store)
            session.measuring.run(_later(hearth.collect(place), number * DAYS_BETWEEN + 1), work, place.home)
            record = {"rate": rate, "number": number, "save_seconds": result["seconds"],
                      "bytes": measuring.written(before, after)[0], "ungraced_bytes": _bytes_of(after),
                      "kept_bytes": _bytes_of(measuring.content_of(place.store))}
            if number % RESTORED_EVERY == 0:
                record |= _restore(session, hearth, place)
            records.append(record)
        # The same directory, kept for the first time: what the others are compared with.
        alone = session.place(work, hearth, "alone")
        session.measuring.run(hearth.save(alone, _copy(tree), 0), work, alone.home)
        full = _bytes_of(measuring.content_of(alone.store))
    session.say(f"churn: {saves} saves with {rate:.1%}")
    return [record | {"full_bytes": full} for record in records]


def _bytes_of(content):
    return sum(size for size, _ in content.values())


def _later(command, days):
    """The command, at a time that so many days have passed. Files keep their times."""
    stages = [["faketime", "-m", "--exclude-monotonic", "-f", f"+{days}d", *command.stages[0]]]
    return measuring.Command(stages, command.output, command.environment | {"NO_FAKE_STAT": "1"})


def _restore(session, hearth, place):
    with session.volumes.fresh(inodes=INODES) as target:
        session.measuring.warm(place.store)
        (target / "tree").mkdir()
        result = session.measuring.run(hearth.restore(place, target / "tree"), target, place.home)
        counted = session.measuring.counted("restore", target / "counted", place.store)
        return {"restore_seconds": result["seconds"], "restore_objects": counted["objects"],
                "restore_requests": counted["get"]}


def _copy(tree):
    """Without the index that lies beside the tree."""
    copy = tree.with_name("alone")
    subprocess.run(["cp", "-a", tree, copy], check=True)
    return copy


def change(tree, rate, source):
    """Changes this share of the files: most are edited, some are built anew, some give way to others."""
    files = sorted(path for path in pathlib.Path(tree).rglob("*") if path.is_file() and not path.is_symlink())
    for path in source.sample(files, max(1, round(rate * len(files)))):
        kind = source.choices((_edit, _rebuild, _replace), weights=(6, 2, 2))[0]
        kind(path, source)


def _edit(path, source):
    """Something is inserted somewhere."""
    content = path.read_bytes()
    at = source.randrange(len(content) + 1)
    path.write_bytes(content[:at] + source.randbytes(16) + content[at:])


def _rebuild(path, source):
    """The same length, and nothing that is known for more than a kilobyte."""
    content = bytearray(path.read_bytes())
    for at in range(0, len(content), 1024):
        content[at:at + 16] = source.randbytes(len(content[at:at + 16]))
    path.write_bytes(content)


def _replace(path, source):
    """Another name, and other content."""
    _rebuild(path, source)
    path.rename(path.with_name(f"{source.randrange(1 << 32):08x}{path.suffix}"))


def of_rate(records, rate, metric):
    """[(number of the save, value)] where it was measured."""
    return [(record["number"], record[metric]) for record in records
            if record["rate"] == rate and record.get(metric) is not None]


def judge(records):
    for rate in JUDGED:
        kept = [ratio for _, ratio in kept_ratios(records, rate)]
        if not kept:
            continue
        words = f"{rate:.1%} churn"
        yield goals.Verdict(f"{words}: bytes kept ≤ {KEPT} × one full cache", f"{max(kept):.2f}", f"{KEPT}", "",
                            max(kept) <= KEPT)
        objects = [value for _, value in of_rate(records, rate, "restore_objects")]
        yield goals.Verdict(f"{words}: objects of a restore ≤ {OBJECTS} × the first one's", f"{max(objects)}",
                            f"{objects[0]}", f"{max(objects) / objects[0]:.2f}", max(objects) <= OBJECTS * objects[0])
        times = [value for _, value in of_rate(records, rate, "restore_seconds")]
        first, last = (statistics.median(part) for part in (times[:4], times[-4:]))
        yield goals.Verdict(f"{words}: the last four restores take ≤ {DRIFT} × the first four's median",
                            goals.seconds(last), goals.seconds(first), f"{last / first:.2f}", last <= DRIFT * first)


def kept_ratios(records, rate, metric="kept_bytes"):
    return [(record["number"], record[metric] / record["full_bytes"]) for record in records
            if record["rate"] == rate]


def section(records):
    rows = []
    for rate in dict.fromkeys(record["rate"] for record in records):
        kept = kept_ratios(records, rate)
        at_once = kept_ratios(records, rate, "ungraced_bytes")
        uploaded = [value for number, value in of_rate(records, rate, "bytes") if number > 0]
        objects, times = (of_rate(records, rate, f"restore_{metric}") for metric in ("objects", "seconds"))
        saves = [value for number, value in of_rate(records, rate, "save_seconds") if number > 0]
        rows.append([f"{rate:.1%}", goals.size(statistics.median(uploaded)),
                     goals.size(statistics.fmean(uploaded)), goals.seconds(statistics.median(saves)),
                     f"{max(ratio for _, ratio in kept):.2f}", f"{kept[-1][1]:.2f}",
                     f"{max(ratio for _, ratio in at_once):.2f}", f"{objects[0][1]}",
                     f"{max(value for _, value in objects)}", goals.seconds(times[0][1]), goals.seconds(times[-1][1])])
    head = ["changed before each save", "goes up (median)", "mean", "save (median)", "most kept / one full cache",
            "at the end", "most before the grace passed", "objects of a restore: first", "most", "restore: first", "last"]
    return markdown.join(markdown.verdicts(judge(records)), markdown.table(head, rows), markdown.picture("churn"))
