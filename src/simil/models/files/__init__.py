"""What a model's own files say: modules, tokenizer, weights."""
