"""Reads the system folder into a frozen catalog: services, operations, owners, zones, data classes."""
