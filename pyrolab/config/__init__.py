"""Configuration: its schema, safe reading, checking, and the user's own file."""
