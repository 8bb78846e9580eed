"""Model files: the embedded model, preparation, damage."""
