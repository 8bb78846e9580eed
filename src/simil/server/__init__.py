"""The same models for other programs, in a process that stays: over HTTP and the Model Context Protocol."""
