"""Static models: vectors equal to those of model2vec and of sentence-transformers."""
