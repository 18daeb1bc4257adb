"""Report of a run, as data and as a page, from its journal and ReFrame's report."""
