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
    """Format a duration in seconds, with its two largest units: `45 s`, `5 min`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.0f} s" if seconds == round(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    numbers = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    first = next(position for position, (number, _) in enumerate(numbers) if number)
    return " ".join(f"{number} {unit}" for number, unit in numbers[first : first + 2] if number)


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Write a number of things; the plural adds an "s" by default."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
