"""The pictures of the page, as SVG."""

import contextlib

import churn
import document
import figures
import operations
import scaling

SMALL = (5, 3.2)


def draw(results, directory):
    """Writes one file a picture that markdown.picture names."""
    directory.mkdir(parents=True, exist_ok=True)
    for corpus, kind, found in figures.select(results):
        _bars(found, directory / f"{corpus}-{kind}.svg")
    for by in scaling.UNITS:
        if any(record["by"] == by for record in results.get("scaling", ())):
            _scaling(results["scaling"], by, directory / f"scaling-{by}.svg")
    if results.get("churn"):
        _churn(results["churn"], directory / "churn.svg")


def _bars(found, path):
    """Seconds of each operation, one bar a tool."""
    shown = [name for name in operations.OPERATIONS if any(found.median(name, tool) for tool in found.tools)]
    with _figure(path, len(shown), columns=3) as axes:
        for axis, operation in zip(axes, shown):
            bars = [(document.TITLES.get(tool, tool), found.median(operation, tool)) for tool in found.tools]
            bars = [(title, value) for title, value in bars if value is not None][::-1]
            axis.barh([title.replace("`", "") for title, _ in bars], [value for _, value in bars],
                      color=["tab:orange" if title == "hearth" else "tab:blue" for title, _ in bars])
            axis.set(title=operation, xlabel="seconds")


def _scaling(records, by, path):
    with _figure(path, 2) as (time, memory):
        for (operation, title), colour in zip(scaling.TITLES.items(), ("tab:orange", "tab:green", "tab:blue")):
            for tool, style, words in ((scaling.HEARTH, "o-", title), ("tar-zstd", "s:", f"tar + zstd: {title}")):
                _line(time, _scaled(scaling.series(records, by, operation, "seconds", tool), by), style, words, colour)
            peaks = scaling.series(records, by, operation, "memory")
            _line(memory, [(amount, value / 1e6) for amount, value in _scaled(peaks, by)], "o-", title, colour)
        _line(time, _scaled(scaling.series(records, by, "limit", "seconds", "read"), by), "--", "reading alone", "black")
        for axis, what in ((time, "seconds"), (memory, "peak memory, MB")):
            axis.set(xlabel=scaling.UNITS[by], ylabel=what, xlim=(0, None), ylim=(0, None))
            axis.legend(fontsize="x-small")


def _scaled(points, by):
    return [(amount / (1 if by == "files" else 1e9), value) for amount, value in points]


def _churn(records, path):
    with _figure(path, 3) as (kept, objects, seconds):
        for rate in dict.fromkeys(record["rate"] for record in records):
            label = f"{rate:.1%} a save"
            _line(kept, churn.kept_ratios(records, rate), "-", label)
            _line(objects, churn.of_rate(records, rate, "restore_objects"), "o-", label)
            _line(seconds, churn.of_rate(records, rate, "restore_seconds"), "o-", label)
        for axis, what in ((kept, "bytes kept / one full cache"), (objects, "objects of a restore"),
                           (seconds, "seconds of a restore")):
            axis.set(xlabel="saves", ylabel=what, ylim=(0, None))
            axis.legend(fontsize="x-small")


def _line(axis, points, style, label, colour=None):
    if points:
        axis.plot(*zip(*points), style, label=label, color=colour)


@contextlib.contextmanager
def _figure(path, count, columns=4):
    """So many axes in rows, written to the path in the end; the same ones make the same bytes."""
    # Not at the top: without it everything but the pictures works.
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "hearth", "axes.grid": True})
    from matplotlib import pyplot
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(SMALL[0] * columns, SMALL[1] * rows), squeeze=False,
                                   layout="constrained")
    yield axes.flat
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
