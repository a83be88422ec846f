"""What is kept, what is removed and why: quality, duplicates, contamination, the mix.

A row can go in four places, each with a reason: defects.find (prepare), deduplicate.decide,
decision.decide (decontaminate) and mix.sample.
"""
