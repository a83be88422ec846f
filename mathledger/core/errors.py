"""The one exception for what a person can mend: bad input, bad configuration, a missing file."""


class InputError(Exception):
    """Its text names the file, row or key, what was seen there, and the mend. Shown without a
    traceback; every other exception is a bug and keeps its own."""
