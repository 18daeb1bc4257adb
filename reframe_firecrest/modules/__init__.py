"""Snapshots of the modules on a system, made by jobs and read on this machine.

Listing tests reads snapshots, so nothing here imports pydantic, ReFrame or the network.
"""
