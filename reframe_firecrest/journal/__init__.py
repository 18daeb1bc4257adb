"""What a run has done so far, in a file of its own: what is left when its process is gone."""
