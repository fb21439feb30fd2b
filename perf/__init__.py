"""Figures: PyroLab, its relatives and the bare transport, measured side by side in one run."""
