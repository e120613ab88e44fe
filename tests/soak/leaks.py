"""Searches everything that the service writes for what it must keep to itself."""

import base64
import pathlib
import threading
import urllib.parse


def spellings(secret: str) -> set[bytes]:
    """A secret as it is, and as encodings would show it wherever it stands in a longer text."""
    plain = secret.encode()
    found = {plain, urllib.parse.quote(secret, safe="").encode(), plain.hex().encode(), plain.hex().upper().encode(), secret.encode("utf-16-le")}
    for shift in range(3):
        # Only the characters that depend on nothing but the secret.
        coded = base64.b64encode(bytes(shift) + plain)
        inner = coded[(shift * 8 + 5) // 6 : (len(plain) + shift) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


class Leaks:
    def __init__(self, secrets: dict[str, str]) -> None:
        self.needles = [(name, needle) for name, secret in secrets.items() for needle in spellings(secret)]
        self.longest = max(len(needle) for _, needle in self.needles)
        self.found: list[str] = []
        self.seen: dict[str, int] = {}
        self.lock = threading.Lock()

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
        for path in folder.rglob("*"):
            try:
                self.search(f"{where}: {path.relative_to(folder)}", str(path).encode() + b"\n" + path.read_bytes() if path.is_file() else b"")
            except FileNotFoundError:
                pass  # it was replaced meanwhile
