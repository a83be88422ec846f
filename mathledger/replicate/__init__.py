"""stub"""

import argparse


def run(arguments: argparse.Namespace) -> int:
    return 0
