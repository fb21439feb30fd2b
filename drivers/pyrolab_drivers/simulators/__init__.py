"""Simulated instruments, coupled by one physical model."""
