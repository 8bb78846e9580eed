"""The work of one machine on many: texts are embedded in parts, by actors of Ray."""
