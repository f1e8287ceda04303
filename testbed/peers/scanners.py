"""What scanners get: from an unknown source nothing at all; from where telephones are no name and no password."""
import re

from baresip import Baresip
from house import PASSWORD
from patience import fail, same, until

AGENTS = {"mona": {"number": "+49320"}, "gina": {"number": "+49321"}}
# Debian's sipvicious and sipsak come from 127.0.0.1: in one house telephones do so too, in the other nobody does.
SOURCE = "127.0.0.1"
STRICT = ["127.0.61.0/24"]


async def scan(house, *words):
    """Runs one of them to its end; what it says."""
    out = house.work / f"scan-{len(house.processes)}.out"
    environment = {"HOME": str(house.work), "PATH": "/usr/bin:/bin"}
    process = await house.spawn(*words, output=open(out, "wb"), env=environment, cwd=house.work)
    await until(f"the end of {words[0]}", lambda: process.returncode is not None, 60)
    return out.read_text(errors="replace")


async def a_strange_source(house):
    """Hears nothing, whatever it sends, and is counted."""
    scans = [["svmap", "-P", "5080", "-m", method, house.address] for method in ["OPTIONS", "REGISTER", "INVITE"]]
    scans += [["svwar", "-P", "5080", "-m", method, "-e", "100-110", "--force", house.address]
              for method in ["REGISTER", "INVITE"]]
    for words in scans:
        said = await scan(house, *words)
        if "found nothing" not in said or answers(said):
            fail(f"{words} has found something: {said}")
    await hears_nothing_by_sipsak(house)
    if await house.metric("fernamt_sip_unknown_source_total") < len(scans) + 1:
        fail("not all of that is counted")


async def without_a_certificate(house):
    """Comes from a trunk's address, which is believed only with the trunk's certificate; so it is nobody."""
    before = await house.metric("fernamt_sip_unknown_source_total")
    await hears_nothing_by_sipsak(house)
    same("it is counted", await house.metric("fernamt_sip_unknown_source_total") > before, True)


async def hears_nothing_by_sipsak(house):
    said = await scan(house, "sipsak", "-vvv", "-s", f"sip:+49330@{house.address}", "--timer-t1=50")
    if answers(said):
        fail(f"sipsak has heard something: {said}")


def answers(said):
    """Responses in what svwar (as Python's bytes) or sipsak (as they are) shows of them: status, headers, challenge."""
    texts = re.findall(r"^b'(SIP/2\.0 .*)'$", said, re.M)
    texts = [text.replace(r"\r\n", "\n") for text in texts]
    texts = texts or re.findall(r"^SIP/2\.0 (?:.+\n)+", said.replace("\r", ""), re.M)
    return [shape(text) for text in texts]


def shape(text):
    """What a scanner could tell two users by: everything but what is another each time."""
    status, *headers = text.strip().split("\n")
    challenges = [re.sub(r'nonce="[0-9a-f]*"', "nonce", header) for header in headers if "Authenticate" in header]
    return status, [header.split(":")[0] for header in headers], challenges


async def who_is_there(house):
    """Where telephones are, a user who exists and one who does not get the same answer, whatever is asked."""
    for method in ["REGISTER", "INVITE", "OPTIONS"]:
        heard = {}
        for user in ["mona", "nobody"]:
            (house.work / "users").write_text(f"{user}\n")
            said = await scan(
                house, "svwar", "-P", "5081", "-m", method, "-d", "users", "--debug", "--force", house.address)
            heard[user] = answers(said)
            if not heard[user] or "found nothing" not in said:
                fail(f"svwar by {method} has heard nothing, or found {user}: {said}")
        same(f"answers by {method} to one who does not exist", heard["nobody"], heard["mona"])
    heard = [answers(await scan(house, "sipsak", "-vv", "-s", f"sip:{user}@{house.address}"))
             for user in ["mona", "nobody"]]
    same("answers to sipsak about one who does not exist", heard[1], heard[0])
    same("statuses that sipsak hears", [status for status, _, _ in heard[0]], ["SIP/2.0 401 Unauthorized"])


async def whose_password(house):
    """svcrack finds a password that is among the first it tries. Then it is locked out, the operator reads of it, and
    the telephone whose password was guessed at stays registered."""
    phone = await Baresip(house, "mona", expires=15).registered()
    wrong = [f"guess-{n}" for n in range(30)]
    said = await crack(house, "gina", [*wrong[:3], PASSWORD])
    if PASSWORD not in said:
        fail(f"svcrack has not found what it should find, so it shows nothing: {said}")
    said = await crack(house, "mona", [*wrong, PASSWORD])
    if PASSWORD in said:
        fail(f"svcrack has found the password: {said}")
    await house.says("locked out: wrong passwords of a telephone (registrar.lock_after)", f'source="{SOURCE}"')
    same("lock-outs are counted", await house.metric("fernamt_phone_lockouts_total") >= 1, True)
    phone.events.clear()
    await phone.event("REGISTER_OK")
    await house.is_registered("mona")
    await phone.kill()


async def crack(house, user, words):
    (house.work / f"words-{user}").write_text("\n".join(words) + "\n")
    return await scan(house, "svcrack", "-P", "5082", "-u", user, "-d", f"words-{user}", house.address)
