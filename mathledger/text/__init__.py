"""When are two problems the same problem? Canonical tokens, for every filter."""
