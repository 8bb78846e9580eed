"""How bytes become rows and rows become bytes."""
