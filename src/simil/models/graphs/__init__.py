"""The computation graphs that engines run: written, exported, prepared once, quantized."""
