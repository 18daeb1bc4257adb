"""Format sizes and durations for people."""

from __future__ import annotations


def format_size(size: float) -> str:
    """Format a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def format_duration(seconds: float) -> str:
    """Format a duration in seconds."""
    if seconds < 10:
        return f"{seconds:.0f} s" if seconds == round(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return _with_rest(f"{days} d", hours, "h")
    if hours:
        return _with_rest(f"{hours} h", minutes, "min")
    return _with_rest(f"{minutes} min", rest, "s") if minutes else f"{rest} s"


def _with_rest(text: str, rest: int, unit: str) -> str:
    return f"{text} {rest} {unit}" if rest else text


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Write a number of things; the plural adds an "s" by default."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
