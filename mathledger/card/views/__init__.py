"""Compute the tables and cells of the card's sections for its templates.

Functions return a table as Markdown with escaped cells.
"""
