"""The ledger of all numbers, and what is made from it: card, plots, pages, metadata."""
