"""The one exception for what the user can fix: bad input, bad configuration, a missing file."""


class InputError(Exception):
    """A user's mistake or a broken file, shown as one line without a traceback.

    The message names the file, row or key, the value found there, and how to fix it. Every other
    exception is a bug and keeps its traceback.
    """
