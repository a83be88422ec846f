"""Convert texts to canonical tokens, by which all filters decide if two problems are the same."""
