"""Embedders of other packages."""
