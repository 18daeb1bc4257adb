"""Life of jobs, from submission to retrieval. Independent of ReFrame and of URLs."""
