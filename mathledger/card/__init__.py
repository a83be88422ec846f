"""Build the ledger of all numbers, and render card, plots, report and metadata from it."""
