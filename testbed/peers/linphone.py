"""A linphonec of Debian as a telephone: takes commands by its keyboard and says what happens; its sound is files."""
import os
import pty
import socket

from house import PASSWORD, kill
from patience import PATIENCE, fail, until

CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
media_encryption=none
[net]
mtu=1300
[rtp]
audio_rtp_port={sound}
"""


class Linphone:
    """The telephone of an agent, by UDP from 127.0.0.1: it has no setting for an address of its own."""

    def __init__(self, house, name):
        self.name, self.house = name, house
        self.dir = house.work / f"linphone-{name}"
        (self.dir / ".local/share/linphone").mkdir(parents=True)  # without its database it starts and does nothing
        (self.dir / "linphonerc").write_text(CONFIG.format(port=free_port(), sound=free_port()))
        self.passed = 0  # characters of its output that `says` has passed

    async def registered(self):
        self.keyboard, terminal = pty.openpty()  # without a terminal it reads commands and does nothing else
        self.process = await self.house.spawn(
            "linphonec", "-c", str(self.dir / "linphonerc"), stdin=terminal,
            output=open(self.dir / "output", "ab"), env={**os.environ, "HOME": str(self.dir), "TERM": "dumb"})
        os.close(terminal)
        await self.says("linphonec>")
        self.order("soundcard use files")
        self.order(f"register sip:{self.name}@{self.house.address} sip:{self.house.address} {PASSWORD}")
        await self.house.is_registered(self.name)
        return self

    def order(self, line):
        os.write(self.keyboard, f"{line}\n".encode())

    def said(self):
        return (self.dir / "output").read_text(errors="replace")

    async def says(self, words, patience=PATIENCE):
        """Waits for words in its output behind those waited for before."""
        def found():
            return self.said().find(words, self.passed) + 1
        try:
            self.passed = await until(f"{self.name} to say {words}", found, patience)
        except Exception:
            fail(f"{self.name} does not say {words!r}, but {self.said()[self.passed:][-1500:]}")

    async def kill(self):
        await kill(self.process)


def free_port():
    """A UDP port that nobody has at any address. One that somebody has at 127.0.0.1 would be bound all the same, and
    whatever is sent to it would go to him."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as at:
        at.bind(("", 0))
        return at.getsockname()[1]
