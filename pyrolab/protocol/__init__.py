"""What travels: envelopes, values, names and their limits. No input or output happens here."""
