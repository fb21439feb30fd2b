"""PyroLab: every instrument of a lab as a local Python object. Start at :mod:`pyrolab.api`."""

__version__ = "0.6.0.dev0"
