"""Streams of frames and values: one publisher, any number of subscriptions, each with its own policy."""
