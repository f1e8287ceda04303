"""Who connects and is not whom he should be, or speaks something else: told to the operator, counted, and no turn lost.

Real peers: openssl s_client and s_server, curl, sipsak. The library's own tests (`sip-core/tests/driver/tls`) have the
other kinds.
"""
import asyncio

from make import authority, certificate
from patience import fail, until

# An SBC at which each of these trunks finds another mistake.
TARGETS = {
    "expired": ("127.0.63.1", "its certificate expired"),
    "elsewhere": ("127.0.63.2", "its certificate is for 127.0.63.99, wanted is 127.0.63.2"),
    "unsigned": ("127.0.63.3", "signed by nobody we trust"),
    "curious": ("127.0.63.4", "wants to see a certificate of ours"),
}
TRUNK = """
[trunk.{name}]
send_to = ["tls:{address}:5061"]
trust = "ca.pem"
check_every = "10s"
"""

PAST, FUTURE = "20200201000000Z", "20991231000000Z"


def trunks():
    return "".join(TRUNK.format(name=name, address=address) for name, (address, _) in TARGETS.items())


def certificates(house):
    authority(house, "other-ca", "CA of somebody else")
    certificate(house, "sbc", "DNS:sbc.test")
    certificate(house, "client-expired", "DNS:sbc.test", until=PAST)
    certificate(house, "client-unsigned", "DNS:sbc.test", ca="other-ca")
    for name, (address, _) in TARGETS.items():
        names = "IP:127.0.63.99" if name == "elsewhere" else f"IP:{address}"
        ca, until = "other-ca" if name == "unsigned" else "ca", PAST if name == "expired" else FUTURE
        certificate(house, name, names, ca, until)


async def servers(house):
    """SBCs by openssl, one for each mistake; the house calls them by itself (check_every)."""
    for name, (address, _) in TARGETS.items():
        verify = ["-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem"] if name == "curious" else []
        await house.spawn(
            "openssl", "s_server", "-accept", f"{address}:5061", "-cert", f"{name}.pem", "-key", f"{name}.pem",
            "-quiet", *verify, output=open(house.work / f"server-{name}.out", "wb"), cwd=house.work)


# Who comes by which program, what the operator reads beside the peer's name, and the kind that is counted.
def visitors(house):
    tls, plain = f"{house.address}:5061", f"{house.address}:5060"
    client = ["openssl", "s_client", "-quiet", "-connect"]
    expired, unsigned = (
        ["-cert", f"client-{name}.pem", "-key", f"client-{name}.pem"] for name in ["expired", "unsigned"])
    return [
        ([*client, tls], "shows no certificate", "no-certificate"),
        ([*client, tls, *expired], "its certificate expired", "expired"),
        ([*client, tls, *unsigned], "signed by nobody we trust", "unknown-ca"),
        ([*client, tls, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "speaks no TLS 1.2 or later", "old-version"),
        ([*client, plain], "speaks TLS on a port without", "tls-on-plain-port"),
        (["curl", "-s", "-m", "20", f"http://{plain}/"], "speaks HTTP on a port for SIP", "http"),
        (["sipsak", "-E", "tcp", "-r", "5061", "-s", f"sip:{house.address}"], "speaks no TLS on a port", "plain-text"),
    ]


async def turned_away(house, words, line, kind):
    """Its program comes to its end, the operator is told with the trunk's name, and it is counted."""
    out = house.work / f"visitor-{kind}.out"
    process = await house.spawn(*words, output=open(out, "wb"), cwd=house.work)
    await house.says("trunk.sbc at 127.0.0.1:", line)
    await until(f"the end of {words[0]} ({kind})", lambda: process.returncode is not None)
    if await house.metric(f'fernamt_sip_connection_mishaps_total{{kind="{kind}"}}') < 1:
        fail(f"a mishap of kind {kind} is not counted")


async def all_of_them(house):
    """At once, beside one who connects and says nothing."""
    await servers(house)
    _, mute = await asyncio.open_connection(house.address, 5061)
    await asyncio.gather(*(turned_away(house, *visitor) for visitor in visitors(house)))
    for name, (address, line) in TARGETS.items():
        await house.says(f"trunk.{name} at {address}:5061", line)
    await house.says("does not finish its TLS handshake")
    mute.close()
