"""Makes the source distribution: that of maturin, with a Cargo.lock that fits the crates in it.

maturin leaves the other members of the workspace out but keeps the lock file as it is, which
`cargo --locked` then refuses. Here cargo takes out what is not needed any more; every version stays.

    python bindings-python/sdist.py FOLDER   # leaves the archive in FOLDER
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
METADATA = ("cargo", "metadata", "--format-version", "1")


def main(folder: Path) -> None:
    """Leave the archive in a folder."""
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        subprocess.run(["maturin", "sdist", "--out", work], cwd=ROOT, check=True)
        (archive,) = work.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(work, filter="data")
            members = packed.getmembers()
        crates = work / members[0].name.partition("/")[0]
        subprocess.run(METADATA, cwd=crates, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*METADATA, "--locked"], cwd=crates, check=True, stdout=subprocess.DEVNULL)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / archive.name).write_bytes(pack(work, members))


def pack(folder: Path, members: list[tarfile.TarInfo]) -> bytes:
    """Return an archive of the files as they are now: the same bytes for the same files."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for member in members:
            content = (folder / member.name).read_bytes()
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
