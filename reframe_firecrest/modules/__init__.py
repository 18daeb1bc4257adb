"""Snapshots of the modules on a system: what a job saw there, on disk, for questions asked on this machine.

Listing tests reads snapshots, so nothing here imports pydantic, ReFrame or the network.
"""
