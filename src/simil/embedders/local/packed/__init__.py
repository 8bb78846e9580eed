"""The packed engine: texts one behind another without padding, in batches of a fixed number of tokens."""
