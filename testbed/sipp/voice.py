#!/usr/bin/env python3
"""One end of a call's sound: speaks with a voice of its own and notes whose voice it hears.

    voice.py [--press KEY --after NAME] VOICE RESULT PORT REMOTE

Sends G.711 A-law from PORT to 127.0.0.1:REMOTE every 20 ms; each VOICE, any word, has a noise of its own. Ends when it
has heard nothing for 1.5 s, or 5 s at the start, and writes RESULT: packets by the voice or prompt that they were, in
the order first heard, and the longest silence. --press sends KEY by RFC 4733 when NAME was heard for half a second.
"""
import argparse, functools, json, os, pathlib, random, socket, struct, time, wave

FRAME = 160  # samples in 20 ms
SOUND, EVENT = 8, 96  # payload types, as in the session descriptions of the scenarios
PATIENCE, FIRST_PATIENCE = 1.5, 5.0  # seconds


def voice(name):
    return random.Random(name).randbytes(FRAME)


def alaw(sample):
    """ITU-T G.711 table 1a, as octets go out: even bits inverted."""
    sign, size = (0xD5, sample >> 3) if sample >= 0 else (0x55, ~sample >> 3)
    segment = (size >> 5).bit_length()
    return (segment << 4 | size >> max(segment, 1) & 15) ^ sign


def prompt(path):
    with wave.open(str(path)) as file:
        samples = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    return bytes(map(alaw, samples))


class Ear:
    def __init__(self):
        self.voices = {voice(name): name for name in ("caller", "called")}
        self.heard, self.last, self.gap = {}, time.monotonic(), 0.0

    @functools.cached_property
    def prompts(self):
        return {path.stem: prompt(path) for path in pathlib.Path("prompts").glob("*.wav")}

    def patient_until(self):
        return self.last + (PATIENCE if self.heard else FIRST_PATIENCE)

    def hear(self, frame):
        now = time.monotonic()
        if self.heard:
            self.gap = max(self.gap, now - self.last)
        self.last = now
        name = self.voices.get(frame) or self.prompt_with(frame)
        self.heard[name] = self.heard.get(name, 0) + 1

    def prompt_with(self, frame):
        names = [name for name, octets in self.prompts.items() if frame in octets]
        return names[0] if len(names) == 1 else "other"  # silence is in many


class Mouth:
    def __init__(self, link, frame):
        self.link, self.frame, self.keys = link, frame, []
        self.sequence, self.timestamp, self.ssrc = 1, 0, random.getrandbits(32)

    def press(self, key):
        event, since = "0123456789*#ABCD".index(key), self.timestamp
        lengths = [FRAME * n for n in range(1, 6)]
        self.keys = [(since, struct.pack("!BBH", event, 10, length)) for length in lengths]
        self.keys += [(since, struct.pack("!BBH", event, 0x80 | 10, lengths[-1]))] * 3  # the end, three times

    def speak(self):
        kind, (timestamp, payload) = (EVENT, self.keys.pop(0)) if self.keys else (SOUND, (self.timestamp, self.frame))
        header = struct.pack("!BBHII", 0x80, kind, self.sequence, timestamp, self.ssrc)
        try:
            self.link.send(header + payload)
        except ConnectionRefusedError:
            pass  # the far end has closed its port
        self.sequence, self.timestamp = self.sequence + 1, self.timestamp + FRAME


def converse(link, mouth, ear, key, after):
    tick = time.monotonic()
    while time.monotonic() < ear.patient_until():
        link.settimeout(max(tick - time.monotonic(), 0.0001))
        try:
            ear.hear(link.recv(2048)[12:])
        except (TimeoutError, ConnectionRefusedError):
            pass
        if key and ear.heard.get(after, 0) >= 25:
            mouth.press(key)
            key = None
        if time.monotonic() >= tick:
            mouth.speak()
            tick += 0.02


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--press")
    parse.add_argument("--after")
    parse.add_argument("voice")
    parse.add_argument("result", type=pathlib.Path)
    parse.add_argument("port", type=int)
    parse.add_argument("remote", type=int)
    wish = parse.parse_args()
    os.closerange(3, 1024)  # SIPp's sockets, which would outlive it
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", wish.port))
    link.connect(("127.0.0.1", wish.remote))
    ear = Ear()
    converse(link, Mouth(link, voice(wish.voice)), ear, wish.press, wish.after)
    half = wish.result.with_suffix(".half")
    half.write_text(json.dumps({"heard": ear.heard, "gap_ms": round(ear.gap * 1000)}))
    half.rename(wish.result)  # whoever sees the file sees all of it


main()
