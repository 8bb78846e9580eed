"""The client of OpenAI's embeddings API, and of servers that speak its protocol."""
