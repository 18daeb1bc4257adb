"""The commands of `reframe-firecrest`, one folder each."""
