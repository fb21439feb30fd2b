"""The client side: proxies and the connection beneath them."""
