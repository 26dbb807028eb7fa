"""Pages of the documentation: text of people, and between markers what was measured."""

import re


class NoPlace(Exception):
    """The page has no markers for a section."""


def fill(text, sections, word="bench"):
    """The page with these sections ({name: Markdown}) in place of what was between their markers."""
    for name, content in sections.items():
        begin, end = (f"<!-- {begins} {name} -->" for begins in (word, "end of"))
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text, found = pattern.subn(lambda _: f"{begin}\n{content}\n{end}", text)
        if found != 1:
            raise NoPlace(f"the page needs one pair of markers: {begin} and {end}")
    return text
