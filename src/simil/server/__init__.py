"""A model for other programs, over HTTP: requests in, the answers of a session's model out."""
