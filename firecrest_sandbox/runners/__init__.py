"""What runs jobs: processes on this machine, or the Slurm that it belongs to."""
