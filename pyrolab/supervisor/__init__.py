"""One process per daemon, started, watched and ended."""
