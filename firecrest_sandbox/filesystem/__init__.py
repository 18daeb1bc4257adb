"""The section `filesystem/ops` of the API: quick operations on files, one command each."""
