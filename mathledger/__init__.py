"""Mathledger: a fine-tuning pipeline in which every benchmark number traces back to its origin."""

import os
import sys

__version__ = "0.1.0"

# On a full disk, older Pythons store a part of a module's bytecode, and from then on every
# process that imports the module fails (https://github.com/python/cpython/issues/126606).
ROOM_FOR_BYTECODE = 64 << 20  # bytes
if hasattr(os, "statvfs"):
    _disk = os.statvfs(__file__)
    sys.dont_write_bytecode |= _disk.f_bavail * _disk.f_frsize < ROOM_FOR_BYTECODE
