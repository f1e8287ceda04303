"""What a house needs beside its configuration: sounds and certificates."""
import math
import struct
import subprocess
import wave

from sipp import TONES

RATE, SECONDS = 8000, 120  # longer than any check speaks: baresip does not begin a file again
CA = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

SIGNING = """\
[ca]
default_ca = signing
[signing]
database = {name}.index
rand_serial = yes
new_certs_dir = .
certificate = {name}.pem
private_key = {name}.key
default_md = sha256
policy = policy
[policy]
commonName = supplied
"""


def sounds(house):
    for name, hertz in TONES.items():
        period = [round(8000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(RATE // 50)]
        with wave.open(str(house.work / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", None))
            file.writeframes(struct.pack(f"<{len(period)}h", *period) * (50 * SECONDS))


def openssl(house, *words):
    subprocess.run(["openssl", *words], cwd=house.work, check=True, capture_output=True)


def authority(house, name, subject):
    (house.work / f"{name}.index").touch()
    (house.work / f"{name}.cnf").write_text(SIGNING.format(name=name))
    openssl(house, "req", "-x509", *CA, "-days", "2", "-subj", f"/CN={subject}", "-keyout", f"{name}.key",
            "-out", f"{name}.pem")


def certificate(house, name, names, ca="ca", until="20991231000000Z"):
    """Signed by `ca`, good from 2020 on; the key stands in the same file."""
    openssl(house, "req", *CA, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (house.work / f"{name}.ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
    openssl(house, "ca", "-batch", "-notext", "-config", f"{ca}.cnf", "-extfile", f"{name}.ext", "-in", f"{name}.csr",
            "-startdate", "20200101000000Z", "-enddate", until, "-out", f"{name}.crt")
    both = [(house.work / f"{name}.{part}").read_text() for part in ["crt", "key"]]
    (house.work / f"{name}.pem").write_text("".join(both))


def certificates(house):
    authority(house, "ca", "CA of the peers")
    certificate(house, "house", f"IP:{house.address},DNS:house.test")
