"""Both local engines, against each other and against sentence-transformers."""
