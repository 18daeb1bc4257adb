"""Prints what is done with the blocks of each page: `python -m tests.docs`."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from tests.docs import pages
from tests.docs.handling import Handling, handling


def main() -> None:
    """Count, and print a table and the reasons of those that are exempt."""
    table = Table("page", *(each.value for each in Handling), title="Blocks of code in the documentation")
    total: Counter[Handling] = Counter()
    reasons = []
    for name in pages.names():
        page = pages.read(name)
        counts = Counter(handling(block, page) for block in page.blocks)
        total += counts
        reasons += [f"{block}: {block.mark('skip')}" for block in page.blocks if block.mark("skip")]
        if counts:
            table.add_row(name, *(str(counts[each] or "") for each in Handling))
    table.add_section()
    table.add_row("all", *(str(total[each]) for each in Handling))
    console = Console(width=120, highlight=False, soft_wrap=True)
    console.print(table)
    for reason in reasons:
        console.print(f"exempt: {reason}", markup=False)


if __name__ == "__main__":
    main()
