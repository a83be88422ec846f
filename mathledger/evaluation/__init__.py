"""Ask models, store and grade their responses, and compute statistics over the grades."""
