"""The broker's brain: events in, actions out. No socket, no clock, no thread."""
