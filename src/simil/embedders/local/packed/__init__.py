"""Forward passes in torch over texts that lie one behind another, without padding."""
