"""OpenAI's Batch API: half the price, for answers within 24 hours."""
