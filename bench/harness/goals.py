"""What Hearth is to reach, as ratios to its peers and to the limits of the machine in the same run."""

import dataclasses

HEARTH = "hearth"
MOST_MEMORY = 160_000_000
# These keep all generations, so that their stores compare with ours.
KEEPERS = ("tar-zstd", "actions-cache", "restic", "casync", "borg")


@dataclasses.dataclass
class Verdict:
    goal: str        # in words
    measured: str
    reference: str
    ratio: str       # with its spread
    met: bool | None  # None: not measured


def judge(corpus, figures, about):
    """The Verdicts on one corpus."""
    return [verdict for goal in GOALS.get(corpus, ()) for verdict in [goal(figures, about)] if verdict]


def time_against(operation, factor, tool, of=None, title=None):
    """Hearth's seconds for the operation are at most `factor` of the tool's (for the operation `of`)."""
    words = f"{operation}: ≤ {factor:g} × {title or tool}'s time"

    def goal(figures, _about):
        ratio = figures.ratio((operation, HEARTH), (of or operation, tool))
        if ratio is None:
            return None
        return Verdict(words, seconds(figures.median(operation, HEARTH)), seconds(figures.median(of or operation, tool)),
                       with_spread(ratio), ratio[0] <= factor)

    return goal


def bytes_against(operation, factor, metric, words, tools=KEEPERS):
    """Hearth's bytes are at most `factor` of the best of the tools'."""
    def goal(figures, _about):
        mine = figures.median(operation, HEARTH, metric)
        theirs = {tool: figures.median(operation, tool, metric) for tool in tools}
        theirs = {tool: value for tool, value in theirs.items() if value is not None}
        if mine is None or not theirs:
            return None
        best = min(theirs, key=theirs.get)
        return Verdict(f"{operation}: {words}", size(mine), f"{best}: {size(theirs[best])}",
                       f"{mine / theirs[best]:.3f}", mine <= factor * theirs[best])

    return goal


def at_most(operation, limit, metric, words, show=str):
    """A figure of Hearth's is at most `limit`, a number or a function of what is known of the corpus."""
    def goal(figures, about):
        value = figures.median(operation, HEARTH, metric)
        bound = limit(about) if callable(limit) else limit
        if value is None:
            return None
        return Verdict(f"{operation}: {words}", show(value), show(bound), "", value <= bound)

    return goal


def memory_at_most(limit):
    def goal(figures, _about):
        peak = figures.peak(HEARTH)
        return peak and Verdict(f"peak memory of all operations: ≤ {size(limit)}", size(peak), size(limit), "",
                                peak <= limit)

    return goal


def own_time(limit):
    def goal(figures, _about):
        both = [figures.median(operation, HEARTH, "own_seconds") for operation in ("save-first", "restore-fresh")]
        if None in both:
            return None
        return Verdict(f"save-first and restore-fresh together, without the closing sync: ≤ {seconds(limit)}",
                       seconds(sum(both)), seconds(limit), "", sum(both) <= limit)

    return goal


def seconds(value):
    if value is None:
        return "–"
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def size(value):
    if value is None:
        return "–"
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}" if value < 1000 * factor else f"{value / factor:.0f} {unit}"
    return f"{value:.0f} B"


def with_spread(ratio):
    middle, ends = ratio
    return f"{middle:.2f}" + (f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends else "")


UNCHANGED = (
    time_against("save-unchanged", 1.3, "find", of="limit"),
    at_most("save-unchanged", 0, "bytes", "nothing goes up", size),
    at_most("save-unchanged", 1, "requests", "≤ 1 request"),
)
CHANGED = (
    time_against("save-v2", 1.0, "rsync"),
    bytes_against("save-v2", 0.9, "bytes", "≤ 0.9 × the best peer's bytes", (*KEEPERS, "rsync")),
    bytes_against("save-v2", 0.92, "kept_bytes", "kept after v1 and v2: ≤ 0.92 × the best peer's bytes"),
)
TOUCHED = (
    time_against("save-touched", 1.3, "hash", of="limit", title="walk + read + SHA-256"),
    at_most("save-touched", lambda about: 4000 + 12 * about["files"], "bytes", "only the manifest's "
            "difference goes up (≤ 12 bytes a file, and 4 kB)", size),
)
OVER = (time_against("restore-over", 1.5, "difference", of="limit", title="stat walk + write of the difference"),)
FRESH = (time_against("restore-fresh", 1.2, "create", of="limit", title="create loop"),)
SOURCES = (
    time_against("save-first", 0.9, "tar-zstd"),
    bytes_against("save-first", 1.0, "bytes", "≤ 1.0 × tar-zstd's bytes", ("tar-zstd",)),
    at_most("save-first", 20, "objects", "≤ 20 objects"),
    *UNCHANGED, *TOUCHED, *CHANGED,
    time_against("restore-fresh", 0.7, "tar-zstd"),
    *FRESH, *OVER,
    memory_at_most(MOST_MEMORY),
)
GOALS = {
    "node": SOURCES,
    "objects": SOURCES,
    # So few files that the start of the program is most of what a save of nothing new takes.
    "apt": (time_against("save-first", 1.0, "tar-zstd"), *UNCHANGED[1:],
            at_most("save-v2", lambda about: 1.01 * about["floor_bytes"], "bytes", "≤ 1.01 × the floor", size),
            *FRESH, memory_at_most(MOST_MEMORY)),
    "tiny": (own_time(0.015),),
    "large": (at_most("save-v2", 8_000_000, "bytes", "≤ 8 MB go up", size), memory_at_most(MOST_MEMORY)),
}
