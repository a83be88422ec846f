"""Canary forms that measure false positives. The filters plant them and the card counts them."""

CONTROLS = ("number_changed", "sign_changed")  # Different problems, which must not be found.
