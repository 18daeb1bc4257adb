"""`reframe-firecrest merge-results`: merge ReFrame's results databases."""
