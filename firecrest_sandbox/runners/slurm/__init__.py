"""The Slurm cluster of this machine, through its commands."""
