"""The Slurm that this machine belongs to, asked through its own commands."""
