"""A customer by TLS and SRTP (baresip as an SBC: Debian's SIPp has no TLS), and strangers at every port meanwhile."""
import strangers
from baresip import Baresip
from patience import fail, same
from phones import keys_open
from sipp import Called

# Baresip's connections come from 127.0.0.1: here that is the SBC's address, and no telephone's.
PHONES = ["127.0.61.0/24"]
MORE = """
[trunk.sbc]
accept_from = ["127.0.0.1"]
peer_names = ["sbc.test"]
srtp = "required"
[[number]]
match = "+49330"
trunk = "sbc"
flow = "out"
[flow.out]
steps = [{ dial = "+49891234@carrier" }]
"""


async def a_call_by_tls(house):
    """Goes on to the carrier with sound both ways; the record says by which trunk it came, and its key."""
    sbc = await Baresip(house, "sbc", account=f"<sip:+49891@{house.address};transport=tls>;regint=0;mediaenc=srtp-mand",
                        more=f"sip_certificate {house.work}/sbc.pem", tone="caller.wav").start()
    called = await Called(house).start()
    await sbc.order("dial", f"sip:+49330@{house.address}:5061;transport=tls")
    await sbc.event("CALL_ESTABLISHED")
    await called.ear.hears("caller")
    await sbc.echoes()
    await called.ear.hears("called")
    called.ear.longest = 0.0
    await strangers.all_of_them(house)
    if called.ear.longest > 2:
        fail(f"the call in progress heard nothing for {called.ear.longest:.1f} s meanwhile")
    await called.ear.hears("called")
    await sbc.order("hangup")
    await called.is_content()
    record = await house.record("+49891")
    same("trunk and end", (record["trunk"], record["cause"]), ("sbc", "caller-hung-up"))
    await keys_open(house)
