"""Keysight instruments."""

from pyrolab_drivers.keysight.b2900 import B2900Channel, DataFormat, KeysightB2900

__all__ = ["B2900Channel", "DataFormat", "KeysightB2900"]
