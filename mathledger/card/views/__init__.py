"""What the tables and cells of the card's sections hold; its templates call these functions.

A table is returned as Markdown, with every cell escaped for it.
"""
