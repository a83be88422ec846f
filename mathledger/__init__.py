"""Explains and checks results. Run by people, never by a stage."""
