"""The forms of canaries that tell a false alarm: `filters` makes them, the card counts them."""

CONTROLS = ("number_changed", "sign_changed")  # other problems, which must not be found
