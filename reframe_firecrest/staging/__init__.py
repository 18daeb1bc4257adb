"""Packing, unpacking and comparing stage directories, independent of jobs and gateways."""
