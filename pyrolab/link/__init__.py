"""One connection to the broker: the part that clients and workers share."""
