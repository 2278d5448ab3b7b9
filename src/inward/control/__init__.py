"""The composition root: settings, the folders of a running system, the supervisor, and `up`."""
