"""A baresip of Debian as a telephone, driven over its control socket (module ctrl_tcp: netstrings of JSON)."""
import asyncio
import itertools
import json
import signal
import time

from house import PASSWORD, kill
from patience import PATIENCE, fail, until

# No device: it plays a WAV file to the far end, and what it hears goes into a bridge (aubridge), out of
# which it comes again when the bridge is its source.
CONFIG = """\
poll_method epoll
sip_listen {address}:5060
{more}
audio_player aubridge,{name}
audio_source {source}
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports {ports}
net_interface {address}
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module aubridge.so
module aufile.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
menu_bell no
statmode_default off
ctrl_tcp_listen {address}:4444
"""
TRANSPORT = {"udp": "", "tcp": ";transport=tcp", "tls": ";transport=tls"}

addresses = itertools.count(1)  # each telephone has an address and ports for sound of its own


class Baresip:
    """The telephone of an agent, or with `account` of somebody else. `tone`: the WAV file that it plays; `codec`: the only one
    it speaks."""

    def __init__(self, house, name, *, by="udp", tone="agent.wav", srtp=False, expires=600, account=None, more="", codec="PCMA"):
        count = next(addresses)
        self.tone = f"aufile,{house.work}/{tone}"
        self.name, self.house, self.address = name, house, f"127.0.61.{count}"
        self.dir = house.work / f"baresip-{name}-{count}"
        self.dir.mkdir()
        first = 26000 + 20 * count
        (self.dir / "config").write_text(CONFIG.format(
            name=name, address=self.address, source=self.tone, ports=f"{first}-{first + 19}",
            more=f"sip_cafile {house.work}/ca.pem\n{more}"))
        registers = f"<sip:{name}@{house.address}{TRANSPORT[by]}>;auth_pass={PASSWORD};regint={expires}"
        account = account or registers + (";mediaenc=srtp-mand" if srtp else "")
        (self.dir / "accounts").write_text(f"{account};audio_codecs={codec}\n")
        (self.dir / "contacts").touch()
        self.events, self.answers, self.count = [], {}, 0
        self.since = 0.0  # when it last was connected with somebody
        self.process = self.link = None

    async def start(self):
        self.process = await self.house.spawn(
            "baresip", "-f", str(self.dir), "-v", output=open(self.dir / "output", "ab"))
        await until(f"the control socket of {self.name}", self.connect)
        return self

    async def registered(self):
        await self.start()
        await self.house.is_registered(self.name)
        return self

    async def connect(self):
        try:
            reader, self.link = await asyncio.open_connection(self.address, 4444)
        except OSError:
            return False
        self.house.background(self.listen(reader))
        return True

    async def listen(self, reader):
        try:
            while True:
                length = await reader.readuntil(b":")
                message = json.loads((await reader.readexactly(int(length[:-1]) + 1))[:-1])
                if message.get("response"):
                    self.answers[message["token"]] = message
                else:
                    self.events.append(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async def order(self, command, params=""):
        self.count += 1
        token = str(self.count)
        text = json.dumps({"command": command, "params": params, "token": token}).encode()
        self.link.write(b"%d:%s," % (len(text), text))
        return await until(f"{self.name}'s answer to {command}", lambda: self.answers.pop(token, None))

    async def event(self, kind, patience=PATIENCE):
        """The next event of that kind; those before it are forgotten."""
        def at():
            return next((n + 1 for n, event in enumerate(self.events) if event.get("type") == kind), 0)
        try:
            n = await until(f"{kind} at {self.name}", at, patience)
        except Exception:
            fail(f"{self.name}: no {kind} in {patience:.0f} s, but {[event.get('type') for event in self.events]}; "
                 f"it says: {self.said()[-400:]}")
        event, self.events = self.events[n - 1], self.events[n:]
        return event

    async def answers_call(self):
        await self.rings()
        await self.accepts()

    async def rings(self):
        await self.event("CALL_INCOMING")

    async def accepts(self):
        await self.order("accept")
        await self.event("CALL_ESTABLISHED")
        self.since = time.monotonic()

    async def hangs_up(self):
        """After a talk: who hangs up within two seconds has not taken the call, and the caller waits on."""
        await until("a talk of some length", lambda: time.monotonic() - self.since > 2.5)
        await self.order("hangup")

    async def echoes(self):
        """Speaks with what it hears instead of its tone: by a new bridge, for one that has lost an end is of no use."""
        bridge = f"aubridge,{self.name}{self.count}"
        await self.order("auplay", bridge)
        await self.order("ausrc", bridge)

    async def speaks(self):
        """With its own tone again; which source it has stays from call to call."""
        await self.order("ausrc", self.tone)

    def said(self):
        return (self.dir / "output").read_text(errors="replace")

    async def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    async def kill(self):
        await kill(self.process)
