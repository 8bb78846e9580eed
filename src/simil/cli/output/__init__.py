"""Everything that commands write: rows, tables, files, progress, notes."""
