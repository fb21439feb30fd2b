"""The systems under test, one module each."""
