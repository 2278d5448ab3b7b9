"""Access logs of proxies and servers."""
