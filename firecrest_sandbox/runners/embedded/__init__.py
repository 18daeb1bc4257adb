"""A runner of its own: processes on this machine that look like jobs of a Slurm cluster."""
