"""A Chromium as an agent's telephone: JsSIP in a page, driven line by line by way of desk.mjs."""
import asyncio
import itertools
import json
import pathlib
import subprocess
import time

from house import PASSWORD
from patience import PATIENCE, fail, until
from sipp import TONES

HERE = pathlib.Path(__file__).parent
ENOUGH = 3  # looks in a row, a tenth of a second apart, that must hear a tone


class Browser:
    def __init__(self, house, name):
        self.house, self.name = house, name
        self.events, self.answers, self.ids = [], {}, itertools.count(1)
        self.version = self.process = None
        self.since = 0.0  # when it last was connected with somebody

    async def start(self):
        errors = open(self.house.work / "desk.err", "wb")
        self.process = await asyncio.create_subprocess_exec(
            "node", str(HERE / "desk.mjs"), str(self.house.work / "agent.wav"), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        self.house.processes.append(self.process)
        self.house.background(self.listen())
        await until("a Chromium with its page", lambda: self.version)
        return self

    async def registered(self):
        await self.start()
        await self.order("begin", {
            "url": f"wss://{self.house.address}:8443", "uri": f"sip:{self.name}@{self.house.address}",
            "password": PASSWORD})
        await self.event("registered")
        await self.house.is_registered(self.name)
        return self

    async def listen(self):
        while line := await self.process.stdout.readline():
            message = json.loads(line)
            self.version = message.get("ready", self.version)
            if "id" in message:
                self.answers[message["id"]] = message

    async def order(self, order, given=None):
        number = next(self.ids)
        text = json.dumps({"id": number, "order": order, "with": given})
        self.process.stdin.write(text.encode() + b"\n")
        answer = await until(f"an answer to {order}", lambda: self.answers.pop(number, None))
        if "failed" in answer:
            fail(f"{order} in the page: {answer['failed']}")
        if answer["strangers"]:
            fail(f"the browser wanted something from {answer['strangers']}")
        return answer.get("came")

    async def event(self, wanted):
        """The next event of that name; those before it are forgotten."""
        seen = []

        async def has_come():
            self.events += await self.order("events")
            while self.events:
                seen.append(self.events.pop(0))
                if seen[-1] == wanted:
                    return True
            return False
        try:
            await until(wanted, has_come)
        except Exception:
            fail(f"no {wanted!r} in the page, but {seen}; it says: {self.said()[-600:]}")

    async def answers_call(self):
        await self.event("rings")
        await self.order("answer")
        await self.talks()

    async def calls(self, number):
        await self.order("call", f"sip:{number}@{self.house.address}")
        await self.talks()

    async def talks(self):
        await self.event("talks")
        self.since = time.monotonic()

    async def hears(self, name, patience=PATIENCE):
        end, row, last = time.monotonic() + patience, 0, None
        while row < ENOUGH:
            last = await self.order("heard", TONES)
            row = row + 1 if last == name else 0
            if time.monotonic() > end:
                fail(f"{name} was not heard in the page in {patience:.0f} s, but {last}")
            await asyncio.sleep(0.1)

    async def hangs_up(self):
        """After a talk: who hangs up within two seconds has not taken the call, and the caller waits on."""
        await until("a talk of some length", lambda: time.monotonic() - self.since > 2.5)
        await self.order("hangup")
        await self.event("ended by local")

    def said(self):
        return (self.house.work / "desk.err").read_text(errors="replace")
