"""Runners of jobs: local processes, or the Slurm of this machine."""
