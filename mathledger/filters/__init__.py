"""What is kept, what is removed and why: quality, duplicates, contamination, the mix."""
