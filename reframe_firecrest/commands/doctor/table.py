"""Table of findings for a terminal, with or without colours."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from reframe_firecrest.commands.doctor.findings import Finding, Status
from reframe_firecrest.commands.doctor.setting_values import SettingValue
from reframe_firecrest.model.errors import one_line

_SIGNS = {
    Status.GREEN: ("ok", "green"),
    Status.YELLOW: ("WARN", "yellow"),
    Status.RED: ("FAIL", "bold red"),
    Status.SKIPPED: ("skip", "dim"),
}


def render(findings: Sequence[tuple[str, Finding]], settings: Sequence[SettingValue] = ()) -> Table:
    """Return a table with a line for each finding and, below it, what to do.

    Args:
        findings: the findings with their names, that of the settings first.
        settings: listed below the first finding.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, finding in findings:
        sign, style = _SIGNS[finding.status]
        text = Text(one_line(finding.detail), style="dim" if finding.status is Status.SKIPPED else "")
        if finding.remedy:
            text.append(f"\n-> {one_line(finding.remedy)}", style=style)
        if name == findings[0][0]:
            for value in settings:
                text.append(f"\n{one_line(str(value))}", style="dim")
        table.add_row(Text(sign, style=style), Text(name), text)
    return table
