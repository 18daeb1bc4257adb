"""Every request, every failure: a small run is repeated once for each, and must come out the same.

`make faults` runs this package; docs/reliability.md says what it shows.
"""
