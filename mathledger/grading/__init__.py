"""Find the answer in a response and decide whether it is right."""
