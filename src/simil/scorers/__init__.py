"""Pairs of texts -> scores: cross-encoders."""
