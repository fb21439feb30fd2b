"""The worker side: what hosts services."""
