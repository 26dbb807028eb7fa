"""The slug of a tree, beside compressors that people have at hand."""

import figures
import goals
import markdown
import measuring

CORPUS = "node"
INODES = 150_000
TITLES = {"slug-4": "slug, level 4 (the default)", "pigz-6": "tar + `pigz -6`", "slug-1": "slug, level 1", "igzip-1": "tar + `igzip -1`"}


def measure(session):
    """A dict a run."""
    corpus = session.corpus(CORPUS)
    records = []
    for number in range(session.rounds):
        with session.volumes.fresh(inodes=INODES) as work:
            tree = work / "tree"
            corpus.place(tree)
            names = list(TITLES)
            for name in names[number % len(names):] + names[:number % len(names)]:
                session.measuring.warm(tree)
                measuring.sync(work)
                target = work / f"{name}.tgz"
                result = session.measuring.run(_command(session, name, tree, target), work)
                records.append({"operation": "slug", "tool": name, "round": number, **result,
                                "bytes": target.stat().st_size})
        session.say(f"slug: round {number + 1} of {session.rounds}")
    return records


def _command(session, name, tree, target):
    program, level = name.split("-")
    if program == "slug":
        return measuring.Command([[session.measuring.programs / "hearth_slug_writer", tree, target, level]])
    return measuring.Command([["tar", "-C", tree, "-cf", "-", "."], [program, f"-{level}", "-c"]], output=str(target))


def judge(found):
    for mine, theirs, factor, word in (("slug-4", "pigz-6", 0.45, "level 4"), ("slug-1", "igzip-1", 1.0, "level 1")):
        ratio = found.ratio(("slug", mine), ("slug", theirs))
        if ratio is None:
            continue
        yield goals.Verdict(f"slug, {word}: ≤ {factor:g} × {TITLES[theirs]}'s time",
                            goals.seconds(found.median("slug", mine)), goals.seconds(found.median("slug", theirs)),
                            goals.with_spread(ratio), ratio[0] <= factor)
        ratio = found.ratio(("slug", mine), ("slug", theirs), "bytes")
        yield goals.Verdict(f"slug, {word}: ≤ 1.02 × {TITLES[theirs]}'s bytes",
                            goals.size(found.median("slug", mine, "bytes")),
                            goals.size(found.median("slug", theirs, "bytes")), f"{ratio[0]:.3f}", ratio[0] <= 1.02)


def section(records):
    found = figures.Figures(records)
    rows = [[title, goals.seconds(found.median("slug", name)), f"{found.median('slug', name, 'cpu'):.2f}",
             goals.size(found.median("slug", name, "bytes")), goals.size(found.peak(name))]
            for name, title in TITLES.items() if found.median("slug", name) is not None]
    return markdown.join(markdown.verdicts(judge(found)),
                         markdown.table(["", "time", "CPU s", "bytes", "peak memory"], rows))
