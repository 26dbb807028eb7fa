"""Pieces of the page."""


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def verdicts(found):
    """What became of the goals; empty where nothing was judged."""
    rows = [[verdict.goal, verdict.measured, verdict.reference, verdict.ratio, "yes" if verdict.met else "**no**"]
            for verdict in found]
    return rows and table(["goal", "hearth", "to compare", "ratio (lowest–highest of a round)", "met"], rows)


def picture(name):
    return f"![{name}](performance/{name}.svg)"


def join(*parts):
    return "\n\n".join(part for part in parts if part)
