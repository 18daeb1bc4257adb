"""A runner without Slurm: local processes that look like jobs of a Slurm cluster."""
