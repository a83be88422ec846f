"""Pinned downloads, readers, practice problems and the engine of the data stages."""
