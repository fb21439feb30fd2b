"""Instrument drivers: ordinary classes that work without any bus."""
