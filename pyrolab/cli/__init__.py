"""The `pyrolab` command."""
