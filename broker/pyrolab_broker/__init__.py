"""The broker: name service, load limiter, and the one place that knows who holds what."""
