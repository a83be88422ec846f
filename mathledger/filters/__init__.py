"""Filters for quality, duplicates and contamination, and the training mix.

Four functions can remove a row, always with a reason: defects.find (prepare), deduplicate.decide,
decision.decide (decontaminate) and mix.sample.
"""
