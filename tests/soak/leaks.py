"""Searches everything that the service writes for what it must keep to itself."""

import base64
import binascii
import contextlib
import json
import pathlib
import threading
import urllib.parse


def spellings(secret: str) -> set[bytes]:
    """A secret as it is, and as encodings would show it wherever it stands in a longer text."""
    plain = secret.encode()
    quoted = [urllib.parse.quote(secret, safe=safe).encode() for safe in ("", "/")]
    found = {plain, *quoted, plain.hex().encode(), plain.hex().upper().encode(), secret.encode("utf-16-le")}
    for shift in range(3):
        # Only the characters that depend on nothing but the secret.
        coded = base64.b64encode(bytes(shift) + plain)
        inner = coded[(shift * 8 + 5) // 6 : (len(plain) + shift) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def others(secret: str) -> dict[str, bytes]:
    """A secret as it would stand in an answer, a header, an address, a dump: made by the usual functions, not by `spellings`."""
    return {
        "in JSON": json.dumps({"secret": secret}).encode(),
        "as a form field": urllib.parse.urlencode({"api_key": secret}).encode(),
        "in a Basic header": base64.b64encode(f"anne:{secret}".encode()),
        "in a Basic header of another length": base64.b64encode(f"dorte:{secret}".encode()),
        "in Base64url": base64.urlsafe_b64encode(f"x{secret}y".encode()),
        "in hexadecimal": binascii.hexlify(f"x{secret}y".encode()),
        "in UTF-16": f"x{secret}y".encode("utf-16"),
    }


class Leaks:
    def __init__(self, secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.needles = [(name, needle) for name, secret in secrets.items() for needle in spellings(secret)]
        self.longest = max(len(needle) for _, needle in self.needles)
        self.found: list[str] = []
        self.seen: dict[str, int] = {}
        # Files that were searched, each as it was then.
        self.files: dict[pathlib.Path, tuple] = {}
        self.lock = threading.Lock()

    def control(self) -> list[str]:
        """Which spellings would not be found: what another program makes of each secret, in the middle of other bytes, must be."""
        missed = []
        for name, secret in self.secrets.items():
            for made, text in others(secret).items():
                if not any(of == name and needle in b"before " + text + b" behind" for of, needle in self.needles):
                    missed.append(f"{name} {made}")
        return missed

    def search(self, where: str, text: bytes) -> None:
        for name, needle in self.needles:
            at = text.find(needle)
            if at >= 0:
                around = text[max(0, at - 80) : at + len(needle) + 80]
                self.found.append(f"{name} in {where}: {around!r}")
        with self.lock:
            kind = where.partition(":")[0]
            self.seen[kind] = self.seen.get(kind, 0) + len(text)

    def search_folder(self, where: str, folder: pathlib.Path) -> None:
        """What has come into the folder since it was searched last."""
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # it was replaced meanwhile
                about = path.stat()
                state = about.st_ino, about.st_mtime_ns, about.st_size
                if path.is_file() and self.files.get(path) != state:
                    self.files[path] = state
                    self.search(f"{where}: {path.relative_to(folder)}", str(path).encode() + b"\n" + path.read_bytes())
