"""The vector cache: any embedder, wrapped, so that no vector is computed or paid for twice."""
