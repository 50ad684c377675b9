"""Servers on file systems of their own, so small that they can be filled.

The stack runs in a mount namespace, which takes the file systems with it when it ends; where nobody
but root may mount, in a user namespace, too.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.stack import Stack

SERVERS = ("postgres-primary", "valkey")
SPARE_MB = 64
# Each server's data move to a file system with as much room as they take, and the spare.
MOUNT = """
set -e
cd "$STATE"
for name in {servers}; do
    size=$(du -sm "$name" | cut -f1)
    mkdir small
    mount -t tmpfs -o "size=$((size + {spare}))m" small small
    cp -a "$name/." small
    chmod --reference="$name" small
    chown --reference="$name" small
    mount --bind small "$name"
    umount small
    rmdir small
done
cd "$HOME_FOLDER"
exec {back} "$@"
"""


def namespace() -> tuple[list[str], str]:
    """What begins a namespace in which one may mount, and what takes that right away again."""
    if os.geteuid() == 0:
        return ["unshare", "--mount"], ""
    back = f"unshare --user --map-user={os.getuid()} --map-group={os.getgid()}"
    return ["unshare", "--user", "--map-root-user", "--mount"], back


def may_mount() -> bool:
    begin, _ = namespace()
    mount = ["mount", "-t", "tmpfs", "none", "/tmp"]
    return subprocess.run([*begin, *mount], capture_output=True, check=False).returncode == 0


class Cramped(Stack):
    """A stack whose servers have had to move."""

    def command(self) -> list[str]:
        begin, back = namespace()
        script = MOUNT.format(servers=" ".join(SERVERS), spare=SPARE_MB, back=back)
        return [*begin, "sh", "-c", script, "sh", *super().command()]

    def start(self) -> float:
        self.env |= {"STATE": str(self.folder), "HOME_FOLDER": str(Path.cwd())}
        return super().start()

    def disk(self, name: str) -> Path:
        """The file system of a server, seen from outside."""
        supervisor = psutil.Process(self.process.pid).children()[0]
        return Path(f"/proc/{supervisor.pid}/root", *(self.folder / name).parts[1:])


def fill(folder: Path) -> None:
    """There is no room for another page."""
    with suppress(OSError), (folder / "ballast").open("ab", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while ballast.write(bytes(size)) == size:
                    pass


@contextmanager
def full(stack: Cramped, name: str) -> Iterator[Path]:
    """No room on the file system of `name`."""
    folder = stack.disk(name)
    fill(folder)
    try:
        yield folder
    finally:
        (folder / "ballast").unlink()
