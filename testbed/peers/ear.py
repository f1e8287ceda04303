"""One end of a call's sound by RTP and G.711 A-law: speaks with a tone of its own and knows the tones it hears.

Every tone is a multiple of 50 Hz, so that each fits into a packet of 20 ms a whole number of times and none is mistaken
for another.
"""
import asyncio
import collections
import math
import operator
import random
import struct
import time

from patience import PATIENCE, fail

RATE, FRAME = 8000, 160  # samples a second, samples in 20 ms
SOUND = 8  # payload type of A-law; the events of RFC 4733 have the one the far end's offer gave them, from 96 on
LOUD = 400  # amplitude from which on something is heard
WINDOW, ENOUGH = 20, 15  # of so many packets so many must have the tone


def alaw(sample):
    """ITU-T G.711 table 1a, as octets go out: even bits inverted."""
    sign, size = (0xD5, sample >> 3) if sample >= 0 else (0x55, ~sample >> 3)
    segment = (size >> 5).bit_length()
    return (segment << 4 | size >> max(segment, 1) & 15) ^ sign


def linear(octet):
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 15
    size = step * 16 + 8 if segment == 0 else (step * 16 + 264) << (segment - 1)
    return size if octet & 0x80 else -size


LINEAR = [linear(octet) for octet in range(256)]


def wave(frequency, of, amplitude=1.0):
    return [amplitude * of(2 * math.pi * frequency * n / RATE) for n in range(FRAME)]


class Ear(asyncio.DatagramProtocol):
    """Listens at an address and answers to where it hears something from. `tones` are names by frequency."""

    def __init__(self, tones, own):
        self.waves = {name: (wave(hertz, math.cos), wave(hertz, math.sin)) for name, hertz in tones.items()}
        self.voice = bytes(alaw(round(sample)) for sample in wave(tones[own], math.sin, 8000))
        self.recent = collections.deque(maxlen=WINDOW)
        self.keys, self.changes = "", []
        self.heard_at, self.longest = 0.0, 0.0  # the last packet, and the longest time between two of them in seconds
        self.event_at = None
        self.link = self.remote = self.mouth = None
        self.mute = False

    async def open(self, address, port):
        loop = asyncio.get_running_loop()
        self.link, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, port))
        self.mouth = loop.create_task(self.speak())
        return self

    def close(self):
        """Gone without a word, as whoever is killed."""
        if self.mouth:
            self.mouth.cancel()
        if self.link:
            self.link.close()

    async def speak(self):
        sequence, timestamp, ssrc = 1, 0, random.getrandbits(32)
        tick = time.monotonic()
        while True:
            if self.remote and not self.mute:
                header = struct.pack("!BBHII", 0x80, SOUND, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
                self.link.sendto(header + self.voice, self.remote)
                sequence, timestamp = sequence + 1, timestamp + FRAME
            tick = max(tick + 0.02, time.monotonic() - 0.2)  # what a busy machine has missed is not made up for
            await asyncio.sleep(max(tick - time.monotonic(), 0))

    def datagram_received(self, datagram, remote):
        self.remote = remote
        kind, payload = datagram[1] & 0x7F, datagram[12:]
        if kind == SOUND and len(payload) == FRAME:
            self.hear(self.name_of(payload))
        elif kind >= 96 and len(payload) >= 4:
            self.press(payload[0], datagram[4:8])

    def error_received(self, error):
        pass  # the far end has closed its port

    def press(self, event, timestamp):
        if timestamp != self.event_at:  # one key is several packets of one timestamp
            self.event_at = timestamp
            self.keys += "0123456789*#ABCD"[event % 16]

    def hear(self, name):
        now = time.monotonic()
        self.longest, self.heard_at = max(self.longest, now - self.heard_at) if self.heard_at else 0.0, now
        self.recent.append(name)
        if not self.changes or self.changes[-1] != name:
            self.changes = self.changes[-20:] + [name]

    def name_of(self, payload):
        samples = [LINEAR[octet] for octet in payload]
        loudness = math.sqrt(sum(map(operator.mul, samples, samples)) / FRAME * 2)
        if loudness < LOUD:
            return "silence"
        last = self.recent[-1] if self.recent else None  # it is mostly the same again
        for name in sorted(self.waves, key=lambda name: name != last):
            cos, sin = self.waves[name]
            parts = (sum(map(operator.mul, samples, wave)) * 2 / FRAME for wave in (cos, sin))
            if math.hypot(*parts) > 0.8 * loudness:
                return name
        return "other"

    async def hears(self, name, patience=PATIENCE):
        """From now on: a third of a second of that tone, a few packets of something else among it."""
        self.recent.clear()
        end = time.monotonic() + patience
        while self.recent.count(name) < ENOUGH:
            if time.monotonic() > end:
                recent = dict(collections.Counter(self.recent))
                fail(f"{name} was not heard in {patience:.0f} s but {recent or 'nothing'}; before: {self.changes}")
            await asyncio.sleep(0.05)
