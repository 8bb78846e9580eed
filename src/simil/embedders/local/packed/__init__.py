<<<<<<< HEAD
"""The packed engine: texts one behind another without padding, in batches of a fixed number of tokens."""
=======
"""Forward passes in torch over texts that lie one behind another, without padding."""
>>>>>>> pipeline
