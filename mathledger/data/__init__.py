"""Pinned downloads, readers, practice problems, and the engine that the data stages run on."""
