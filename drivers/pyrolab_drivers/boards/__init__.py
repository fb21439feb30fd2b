"""Boards with digital and analogue pins."""
