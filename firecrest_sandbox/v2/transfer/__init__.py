"""The section `filesystem/transfer` of the API: file operations that run as jobs."""
