"""SIPp as a customer behind the carrier and as somebody whom the carrier reaches; its sound is an Ear."""
import itertools

from ear import Ear
from house import HERE, kill, listens
from patience import PATIENCE, fail, until

# The tone of each party, in Hertz; 1050 is the music of every queue.
TONES = {"caller": 450, "agent": 600, "other": 800, "called": 900, "music": 1050}
ADDRESS = "127.0.60.2"  # of callers

numbers = itertools.count(1)  # each caller has ports and a number of his own


class Caller:
    """A customer: calls, speaks and listens until he is hung up on, or is killed."""

    def __init__(self, house, to, *, by="udp", scenario="caller.xml", own="caller"):
        count = next(numbers)
        self.house, self.to, self.by, self.scenario, self.own = house, to, by, scenario, own
        self.number = f"+4940{count:04}"
        self.port, self.sound_port = 5100 + count, 31000 + 2 * count
        self.out = house.work / f"caller-{count}.out"
        self.ear = self.process = None

    async def call(self):
        self.ear = await Ear(TONES, self.own).open(ADDRESS, self.sound_port)
        self.process = await sipp(
            self.house, self.out, HERE / self.scenario, ADDRESS, self.port, self.by,
            "-s", self.to, "-key", "number", self.number, "-key", "voice_port", str(self.sound_port), "-m", "1",
            f"{self.house.address}:5060")
        return self

    async def is_content(self, patience=PATIENCE):
        """It saw what its scenario says, to the end."""
        await content(self.process, self.out, f"the caller {self.number}", patience)
        self.ear.close()

    async def kill(self):
        self.ear.close()
        await kill(self.process)


class Called:
    """Somebody at the carrier's: rings, answers, speaks and listens until he is hung up on."""

    def __init__(self, house, scenario="called.xml"):
        self.house, self.scenario, self.out = house, scenario, house.work / "called.out"
        self.ear = self.process = None

    async def start(self):
        self.ear = await Ear(TONES, "called").open(self.house.carrier, 31000)
        self.process = await sipp(
            self.house, self.out, HERE / self.scenario, self.house.carrier, 5060, "udp", "-key", "voice_port", "31000",
            "-m", "1")
        await until("the called side", lambda: listens(self.house.carrier, 5060))
        return self

    async def is_content(self, patience=PATIENCE):
        await content(self.process, self.out, "the called side", patience)
        self.ear.close()


async def sipp(house, out, scenario, address, port, by, *options):
    return await house.spawn(
        "sipp", "-sf", str(scenario), "-i", address, "-p", str(port), "-mi", address,
        "-t", {"udp": "u1", "tcp": "t1"}[by], "-nostdin", "-trace_err", "-error_file", str(out.with_suffix(".err")),
        "-timeout_error", "-timeout", "170", *options, output=open(out, "wb"), cwd=house.work)


async def content(process, out, who, patience):
    await until(f"the end of {who}", lambda: process.returncode is not None, patience)
    if process.returncode:
        error = out.with_suffix(".err")
        fail(f"{who} saw something else: {error.read_text()[-1500:] if error.exists() else out.read_text()[-800:]}")
