"""Graphs that engines run: written, exported, prepared once, quantized."""
