"""What users of Pyro5 know by name: its configuration, converters for classes, the call's context."""
