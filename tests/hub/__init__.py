"""Fetching models, against a hub on this machine."""
