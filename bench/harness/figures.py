"""Questions that the page asks of the raw results."""

import statistics


class Figures:
    """Of one corpus on one kind of file system."""

    def __init__(self, records):
        self.records = records
        self.tools = list(dict.fromkeys(record["tool"] for record in records if record["operation"] != "limit"))

    def by_round(self, operation, tool, metric="seconds"):
        """{round: the value}; of a limit that was taken several times in a round, the median."""
        rounds = {}
        for record in self.records:
            if (record["operation"], record["tool"]) == (operation, tool) and record.get(metric) is not None:
                rounds.setdefault(record["round"], []).append(record[metric])
        return {number: statistics.median(values) for number, values in rounds.items()}

    def median(self, operation, tool, metric="seconds"):
        """None if it was not measured."""
        values = self.by_round(operation, tool, metric).values()
        return statistics.median(values) if values else None

    def spread(self, operation, tool, metric="seconds"):
        values = self.by_round(operation, tool, metric).values()
        return (min(values), max(values)) if len(values) > 1 else None

    def peak(self, tool):
        """Of all operations."""
        return max((record["memory"] for record in self.records
                    if record["tool"] == tool and record.get("memory")), default=None)

    def ratio(self, one, other, metric="seconds"):
        """(ratio of the medians, lowest and highest ratio within a round or None); each is (operation, tool)."""
        upper, lower = self.by_round(*one, metric), self.by_round(*other, metric)
        if not upper or not lower:
            return None
        middle = _divide(statistics.median(upper.values()), statistics.median(lower.values()))
        within = [_divide(upper[number], lower[number]) for number in upper.keys() & lower.keys()]
        return middle, (min(within), max(within)) if len(within) > 1 else None


def select(results):
    """[(corpus, file system, Figures)] in the order of measuring."""
    groups = {}
    for record in results["records"]:
        groups.setdefault((record["corpus"], record["fs"]), []).append(record)
    return [(*key, Figures(records)) for key, records in groups.items()]


def _divide(upper, lower):
    return upper / lower if lower else float("inf") if upper else 1.0
