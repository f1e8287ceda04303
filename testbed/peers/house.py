"""The house: `fernamt run` with a configuration, certificates and agents of its own, and what can be seen of it."""
import asyncio
import itertools
import json
import os
import pathlib
import signal
import subprocess
import urllib.request

from patience import PATIENCE, fail, until

HERE = pathlib.Path(__file__).parent
# Where telephones come from. What baresip opens by TCP and TLS comes from 127.0.0.1, whatever it listens at.
PHONES = ["127.0.61.0/24", "127.0.0.1"]
REALM, PASSWORD = "peers.test", "exchange-of-peers"

AGENT = """
[[number]]
match = "{number}"
trunk = "carrier"
flow = "{name}"
[flow.{name}]
steps = [{{ queue = "{name}" }}]
[queue.{name}]
strategy = "ordered"
music = "music.wav"
ring_timeout = "10s"
rest_no_answer = "0s"
rest_rejected = "1s"
[agent.{name}]
call = "phone"
queues = {queues}
srtp = "{srtp}"
{phone}
"""


houses = itertools.count(1)


class House:
    """At an address of 127.0.0.0/8, with ports 5060 (UDP, TCP), 5061 (TLS), 8443 (secure WebSocket) and 8060 (admin)."""

    def __init__(self, address, binaries, work, phones=PHONES):
        """`phones`: where telephones come from."""
        self.carrier = "127.0.60." + str(100 + next(houses))  # where whoever is called there answers
        self.address, self.work, self.binary, self.phones = address, work, binaries / "fernamt", phones
        self.agents, self.processes, self.tasks = [], [], []
        self.router = self.log = None
        self.seen = 0  # bytes of the log that `says` has passed

    async def agent(self, name, number, *, srtp="off", serves=()):
        """An agent with a telephone, with a queue and a number to reach it by; he serves other queues too."""
        proof = await self.output("passwd", name, "--realm", REALM, given=PASSWORD)
        queues = json.dumps([name, *serves])
        self.agents.append(AGENT.format(name=name, number=number, srtp=srtp, queues=queues, phone=proof))

    def write(self, more=""):
        text = (HERE / "house.toml").read_text().replace("@HOUSE@", self.address)
        text = text.replace("@CARRIER@", self.carrier)
        text = text.replace("@PHONES@", ", ".join(f'"{source}"' for source in self.phones))
        self.config = self.work / "house.toml"
        self.config.write_text(text + more + "".join(self.agents))

    async def output(self, *words, given=""):
        """What a command of fernamt writes."""
        process = await asyncio.create_subprocess_exec(
            self.binary, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.work)
        output, error = await process.communicate(given.encode())
        if process.returncode:
            fail(f"fernamt {words[0]}: {error.decode()}")
        return output.decode()

    async def start(self):
        if listens(self.address, 5060):
            fail(f"somebody else has {self.address}:5060; end that program first")  # or the wrong one would be tested
        log = open(self.work / "fernamt.log", "ab")
        self.log = self.work / "fernamt.log"
        environment = {**os.environ, "RUST_LOG": "info", "NO_COLOR": "1"}
        self.router = await asyncio.create_subprocess_exec(
            self.binary, "run", self.config, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.work,
            env=environment)
        await until("a router that is ready", self.is_ready)

    async def is_ready(self):
        if self.router.returncode is not None:
            fail(f"the router has ended: {self.log.read_text()[-2000:]}")
        try:
            return await self.get("/readyz")
        except OSError:
            return False

    async def get(self, path):
        request = f"http://{self.address}:8060{path}"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=PATIENCE).read().decode())

    async def metric(self, name):
        """The sum of a metric's samples whose name and labels begin so."""
        lines = (await self.get("/metrics")).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    async def levels(self):
        """Gauges that are not zero, those apart that do not count what is under way: `levels` of testbed/lib.sh."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", f"set -o pipefail; source {HERE.parent}/lib.sh; levels", stdout=subprocess.PIPE,
            env={**os.environ, "admin": f"http://{self.address}:8060"})
        output, _ = await process.communicate()
        return output.decode() if process.returncode == 0 else "the metrics cannot be read"

    async def status(self):
        return json.loads(await self.get("/status"))

    async def agent_status(self, name):
        return next(agent for agent in (await self.status())["agents"] if agent["name"] == name)

    async def agent_is(self, name, state, patience=PATIENCE):
        async def is_so():
            return (await self.agent_status(name))["state"] == state
        await until(f"{name} is {state}", is_so, patience)

    async def is_registered(self, name, phones=1, patience=PATIENCE):
        async def is_so():
            return len((await self.agent_status(name))["phones"]) == phones
        await until(f"{phones} telephones of {name}", is_so, patience)

    async def records(self, caller):
        """The records of the calls of a caller, as he is called in From, in the order of their ends."""
        text = await self.output("calls", self.config, "--last", "100000", "--json")
        return [record for record in map(json.loads, text.splitlines()) if record["from"] == caller]

    async def record(self, caller, patience=PATIENCE):
        """The one record of a caller, as soon as it is written."""
        found = await until(f"the record of {caller}", lambda: self.records(caller), patience)
        if len(found) != 1:
            fail(f"{len(found)} records of {caller}")
        return found[0]

    def lines(self):
        return self.log.read_text(errors="replace").splitlines() if self.log else []

    async def says(self, *words, patience=PATIENCE):
        """A line of the log with all of these words."""
        def line():
            return next((line for line in self.lines() if all(word in line for word in words)), None)
        return await until(f"a line of the log with {words}", line, patience)

    async def spawn(self, *words, output, **more):
        """A process of a peer, which ends with the house; in a session of its own, so that no child of it is left."""
        stdin = more.pop("stdin", subprocess.DEVNULL)
        process = await asyncio.create_subprocess_exec(
            *words, stdin=stdin, stdout=output, stderr=output, start_new_session=True, **more)
        self.processes.append(process)
        return process

    def background(self, work):
        self.tasks.append(asyncio.create_task(work))

    async def stop(self):
        """Ends the router in order, or says that it did not."""
        self.router.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.router.wait(), PATIENCE)
        if code:
            fail(f"the router ended with {code}")

    async def close(self):
        """Ends whatever is left, in any order."""
        for process in [*self.processes, self.router]:
            await kill(process)
        for task in self.tasks:
            task.cancel()


def listens(address, port):
    """Somebody has that UDP port at that very address."""
    octets = "".join(f"{int(octet):02X}" for octet in reversed(address.split(".")))
    return f" {octets}:{port:04X} " in pathlib.Path("/proc/net/udp").read_text()


async def kill(process):
    """kill -9, of its children too."""
    if process and process.returncode is None:
        try:
            group = os.getpgid(process.pid)
            os.killpg(group, signal.SIGKILL) if group == process.pid else process.kill()
        except ProcessLookupError:
            pass
        await process.wait()
