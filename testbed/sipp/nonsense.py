#!/usr/bin/env python3
"""Sends what nobody should send, to the SIP port by UDP and TCP and to every media port in use, one write a datagram.

Each message must get its status, or silence, and /metrics must have counted all of it. Prints what differs; exit code 1
if anything does.
"""
import collections, random, re, socket, struct, urllib.request

SIP = ("127.0.0.1", 5060)
SILENCE = None
noise = random.Random(4711)
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("127.0.0.1", 0))
PORT = link.getsockname()[1]


def request(method="INVITE", uri="sip:1@127.0.0.1", version="SIP/2.0", body="", drop=(), **headers):
    """A request that is right but for what is changed; Max_Forwards="0" changes a header, drop leaves some out."""
    tag = noise.randrange(1 << 40)
    fields = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:{PORT};branch=z9hG4bK{tag}",
        "From": f"<sip:nobody@127.0.0.1>;tag={tag}",
        "To": "<sip:1@127.0.0.1>",
        "Call-ID": f"nonsense{tag}",
        "CSeq": f"1 {method}",
        "Max-Forwards": "70",
        "Contact": f"<sip:nobody@127.0.0.1:{PORT}>",
        "Content-Length": str(len(body)),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in drop]
    return "\r\n".join([f"{method} {uri} {version}", *lines, "", body]).encode()


VIDEO = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 31480 RTP/AVP 96\r\n"
UNREADABLE = [  # what, bytes, status (RFC 3261); each is one more parse error
    ("no Via: nobody to answer", request(drop=["Via"]), SILENCE),
    ("no CSeq", request(drop=["CSeq"]), 400),  # §8.1.1
    ("no Call-ID", request(drop=["Call-ID"]), 400),
    ("two Call-IDs", request(Call_ID="a\r\nCall-ID: b"), 400),
    ("CSeq of another method", request(CSeq="1 BYE"), 400),  # §8.1.1.5
    ("CSeq beyond 2^31", request(CSeq="99999999999 INVITE"), 400),
    ("Content-Length beyond the datagram", request(Content_Length="9999"), 400),  # §18.3
    ("Content-Length below zero", request(Content_Length="-1"), 400),
    ("SIP/9.9", request(version="SIP/9.9"), 505),  # §21.5.6
    ("a header of 60,000 bytes", request(Subject="x" * 60_000), 513),  # §21.5.7
    ("half a header", b"INVITE sip:1@x SIP/2.0\r\nVia", SILENCE),
    *((f"{size} bytes of noise", noise.randbytes(size), SILENCE) for size in (1, 20, 172, 1_300, 9_000, 60_000)),
]
UNWANTED = [  # can be read
    ("no Contact in an INVITE", request(drop=["Contact"]), 400),  # §8.1.1.8
    ("a URI of another scheme", request(uri="ftp:1@127.0.0.1"), 416),  # §8.2.2.1
    ("no hops left", request(Max_Forwards="0"), 483),  # §16.3
    ("an extension that nobody has", request(Require="levitation"), 420),  # §8.2.2.3
    ("a body that is not SDP", request(body="hello", Content_Type="text/plain"), 415),  # §8.2.3
    ("only video", request(body=VIDEO, Content_Type="application/sdp"), 488),  # §13.3.1.3
    ("a method that nobody has", request("LEVITATE"), 501),  # §21.5.2
    ("a method that we do not do", request("PUBLISH"), 405),  # §8.2.1
    ("BYE of no dialog", request("BYE", To="<sip:1@127.0.0.1>;tag=x"), 481),  # §12.2.2
    ("CANCEL of nothing", request("CANCEL"), 481),  # §9.2
    ("ACK of nothing", request("ACK", To="<sip:1@127.0.0.1>;tag=x"), SILENCE),
    ("a response to nothing", request("X").replace(b"X sip:1@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"), SILENCE),
    ("a line end", b"\r\n\r\n", SILENCE),
    ("an empty datagram", b"", SILENCE),
]


class Counters:
    """What /metrics counts, and by how much it has grown since."""

    def __init__(self):
        page = urllib.request.urlopen("http://127.0.0.1:8060/metrics", timeout=5).read().decode()
        self.values = {name: float(value) for name, value in re.findall(r"^(fernamt\S*) (\S+)$", page, re.M)}

    def grown(self, since, name):
        return sum(value - since.values.get(key, 0) for key, value in self.values.items() if key.startswith(name))


def exchange(message, expected):
    """The final status that comes; silence is proven by an OPTIONS that is answered after it."""
    link.send(message)
    if expected is SILENCE:
        link.send(request("OPTIONS"))
    while True:
        try:
            response = link.recv(65_535)
        except TimeoutError:
            return "nothing within 5 s"
        if expected is SILENCE and b"1 OPTIONS" in header("CSeq", response):
            return SILENCE
        if (status := int(response[8:11])) >= 200:
            if message.startswith(b"INVITE") and header("Call-ID", message):
                link.send(acknowledgement(message, response))
            return status


def header(name, message):
    found = re.search(rb"(?m)^%s: *(.*?)\r?$" % name.encode(), message)
    return found.group(1) if found else b""


def acknowledgement(invite, response):
    """Of a refusal: the INVITE's Via, the response's To (RFC 3261 §17.1.1.3)."""
    fields = [("Via", invite), ("From", invite), ("Call-ID", invite), ("To", response)]
    return request("ACK", **{name.replace("-", "_"): header(name, of).decode() for name, of in fields})


def talk_nonsense(wrong):
    statuses = collections.Counter()
    for what, message, expected in UNREADABLE + UNWANTED:
        got = exchange(message, expected)
        statuses[got] += 1
        if got != expected:
            wrong.append(f"{what}: {got}, not {expected}")
    return statuses


def from_an_unknown_source(wrong):
    """This machine's own address beside 127.0.0.0/8, which direct.toml does not name."""
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.connect(("192.0.2.1", 9))  # sends nothing; only asks for the way
    own = stranger.getsockname()[0]
    stranger.close()
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind((own, 0))
    stranger.sendto(request("OPTIONS"), SIP)
    exchange(b"", SILENCE)
    stranger.setblocking(False)
    try:
        wrong.append(f"an unknown source: {stranger.recv(65_535)[:12]}, not silence")
    except BlockingIOError:
        pass


def by_tcp(wrong):
    """Noise on a connection ends it."""
    with socket.create_connection(SIP, timeout=5) as stream:
        try:
            stream.sendall(noise.randbytes(200_000))
            while stream.recv(65_535):
                pass
        except TimeoutError:
            wrong.append("noise by TCP: the connection is still open")
        except ConnectionError:
            pass


def at_media_ports():
    """Noise, and RTP and RTCP that would be right, had their peer sent them."""
    with open("/proc/net/udp") as table:
        ports = [int(line.split()[1].split(":")[1], 16) for line in list(table)[1:]]
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in (port for port in ports if 10_000 <= port < 30_000):
        for size in (0, 1, 11, 172, 9_000):
            stranger.sendto(noise.randbytes(size), ("127.0.0.1", port))
        stranger.sendto(struct.pack("!BBHII", 0x80, 8, 1, 160, 4711) + bytes(160), ("127.0.0.1", port))
        stranger.sendto(struct.pack("!BBHI", 0x80, 201, 1, 4711), ("127.0.0.1", port))


def main():
    link.connect(SIP)
    link.settimeout(5)
    since, wrong = Counters(), []
    statuses = talk_nonsense(wrong)
    from_an_unknown_source(wrong)
    now = Counters()
    by_tcp(wrong)
    at_media_ports()
    invites = sum(message.startswith(b"INVITE") for _, message, _ in UNREADABLE + UNWANTED)
    counted = [("sip_parse_errors_total", len(UNREADABLE)), ("sip_unknown_source_total", 1)]
    counted += [("sip_invites_read_total", invites), ("sip_invites_total", invites)]
    counted += [(f'sip_responses_total{{direction="out",code="{code}"', statuses[code]) for code in statuses if code]
    for name, count in counted:
        if (grown := now.grown(since, "fernamt_" + name)) != count:
            wrong.append(f"{name} grew by {grown:g}, not {count}")
    print(*wrong, sep="\n")
    raise SystemExit(bool(wrong))


main()
