"""Ten thousand idle TCP connections and a thousand slow ones: what they cost, and that calls notice nothing of them."""
import asyncio
import pathlib
import resource
import socket
import statistics
import sys
import tempfile
import time

from house import House
from make import certificates, sounds
from patience import Failed, fail, until

IDLE, SLOW, FROM = 10_000, 1_000, 20  # connections, and addresses they come from
MOST_MB, MOST_MS = 200, 2_000  # the asking side, in one thread with the slow ones, is late itself on a busy machine
MORE = """
[trunk.crowd]
accept_from = ["127.0.65.0/24"]
"""
# One after the other at the house, and the answer of each.
OPTIONS = """OPTIONS sip:{host} SIP/2.0\r
Via: SIP/2.0/TCP {local};branch=z9hG4bK{branch}\r
From: <sip:idle@{local}>;tag=1\r
To: <sip:{host}>\r
Call-ID: {branch}@{local}\r
CSeq: 1 OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


class Connection:
    """From one of some addresses, since one alone may have 1,024."""

    def __init__(self, house, number):
        self.house, self.local = house, f"127.0.65.{number % FROM + 1}"
        self.branch = str(number)
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((self.local, 0))

    async def open(self):
        await asyncio.get_running_loop().sock_connect(self.socket, (self.house.address, 5060))

    def message(self):
        text = OPTIONS.format(host=self.house.address, local=self.local, branch=f"{self.branch}-{time.monotonic_ns()}")
        return text.encode()

    async def ask(self):
        """How long an answer takes, in milliseconds."""
        start = time.monotonic()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.socket, self.message())
        answer = await asyncio.wait_for(loop.sock_recv(self.socket, 4096), 30)
        if not answer.startswith(b"SIP/2.0 200"):
            fail(f"an OPTIONS is answered {answer[:60]!r}")
        return (time.monotonic() - start) * 1000

    async def is_closed(self):
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 1), 60) == b""


def resident(process):
    """In MB of 1,000,000 bytes."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


async def crowd(house, count, first=0):
    connections = [Connection(house, first + n) for n in range(count)]
    for at in range(0, count, 250):  # the kernel's backlog of the listener is 1,024
        part = connections[at:at + 250]
        await asyncio.gather(*(connection.open() for connection in part))
        await asyncio.gather(*(connection.ask() for connection in part))
    return connections


async def slow(connection):
    """Slowloris: a byte now and then, until it is shut out; how long it was let."""
    start = time.monotonic()
    loop = asyncio.get_running_loop()
    try:
        for octet in connection.message():
            await loop.sock_sendall(connection.socket, bytes([octet]))
            done, _ = await asyncio.wait([asyncio.ensure_future(connection.is_closed())], timeout=1)
            if done:
                break
    except (ConnectionError, OSError):
        pass
    return time.monotonic() - start


async def measured(house):
    process = house.router
    before = resident(process)
    connections = await crowd(house, IDLE)
    await until("all connections to be open", lambda: opened(house, IDLE))
    during = resident(process)
    answers = [await connection.ask() for connection in connections[::50]]
    slow_ones = [Connection(house, IDLE + n) for n in range(SLOW)]
    await asyncio.gather(*(connection.open() for connection in slow_ones))
    slow_times = asyncio.gather(*(slow(connection) for connection in slow_ones))
    besides = [await connection.ask() for connection in connections[::50]]
    times = await slow_times
    peak = resident(process)
    for connection in connections + slow_ones:
        connection.socket.close()
    await until("no connection to be left", lambda: opened(house, 0))
    return {
        "before": before, "during": during, "peak": peak, "after": resident(process),
        "each": (during - before) * 1000 / IDLE, "answer": statistics.median(answers), "worst": max(answers),
        "besides": max(besides), "slow": (min(times), max(times)),
    }


async def opened(house, count):
    return await house.metric("fernamt_sip_connections ") == count


def table(figures):
    rows = [
        ("resident before", f"{figures['before']:.0f} MB", ""),
        (f"resident with {IDLE} idle connections", f"{figures['during']:.0f} MB, {figures['each']:.1f} kB each",
         f"under {MOST_MB} MB"),
        (f"resident with {SLOW} slow ones besides", f"{figures['peak']:.0f} MB", f"under {MOST_MB} MB"),
        ("resident when all have gone", f"{figures['after']:.0f} MB", ""),
        ("an OPTIONS among them", f"{figures['answer']:.1f} ms median, {figures['worst']:.1f} ms at most", ""),
        ("the same while the slow ones write", f"{figures['besides']:.1f} ms at most", f"under {MOST_MS} ms"),
        ("a slow one is let", f"{figures['slow'][0]:.1f} to {figures['slow'][1]:.1f} s", "10 s for a message"),
    ]
    lines = ["| what | measured | must be |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


async def main(binaries):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as work:
        house = House("127.0.65.254", binaries, pathlib.Path(work))
        certificates(house)
        sounds(house)
        house.write(MORE)
        await house.start()
        try:
            figures = await measured(house)
            print(table(figures), end="")
            if max(figures["during"], figures["peak"]) > MOST_MB or figures["besides"] > MOST_MS:
                fail("more than there may be:\n" + table(figures))
            await house.stop()
        finally:
            await house.close()


try:
    asyncio.run(main(pathlib.Path(sys.argv[1])))
except Failed as failed:
    sys.exit(f"FAILED: {failed}")
