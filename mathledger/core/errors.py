"""The one exception for what a person can mend: bad input, bad configuration, a missing file."""


class InputError(Exception):
    """A mistake of the user's, or a broken file: shown as one line without a traceback.

    Its text names the file, row or key, what was seen there, and how to fix it. Every other
    exception is a bug and keeps its traceback.
    """
