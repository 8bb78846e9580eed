"""What makes searching a dataset quicker than reading all of it: indexes, and candidates by them."""
