#!/usr/bin/env python3
"""Writes the seeds of the corpora: what the tests send and read, and what the simulator answers.

usage: fuzz/seeds.py target/debug/jobindsats-bridge

Files that are there stay, so that what broke something is kept. At most KEPT of a kind are taken, those whose
names, the SHA-1 of what is in them, come first, so that one seed more in the tests changes one file.
"""

import base64
import hashlib
import json
import re
import struct
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEPT = 60
LARGEST = 16_000
GOLDEN = sorted((ROOT / "tests/golden").glob("*.txt"))
SOURCES = sorted((ROOT / "tests").rglob("*.rs"))
CASES = [ROOT / f"tests/conformance/cases/odata-{kind}-testcases.json" for kind in ("abnf", "aggregation", "temporal")]
CALLS = ["subjects?", "tables?", "table/y25i01?", "table/y25i07?"]
FIGURES = "data/y25i01?mgroup.*=*&period.M=2026M06%2C2026M05&hierarchy._nykom=%2F&format=json"


def addresses():
    for file in GOLDEN:
        yield from re.findall(r"^GET /odata/\S*?/(?:y\w+/)?(\S+) HTTP", file.read_text(), re.M)
    for file in CASES:
        for case in json.loads(file.read_text())["cases"]:
            if case["rule"] in ("odataUri", "odataRelativeUri", "resourcePath", "queryOptions"):
                yield ("" if case["rule"] != "queryOptions" else "Hovedtal?") + case["input"].removeprefix("http://host/service/")


def options(name):
    """What stands behind an option, in addresses and in the sources of the tests, unless the test puts it together."""
    wanted = re.compile(re.escape(name) + r"=([^&\"\n]+)")
    for text in [*addresses(), *(file.read_text() for file in SOURCES)]:
        for found in wanted.findall(text):
            option = urllib.parse.unquote(found).replace("{PERSONS}", "Antal_fuldtidspersoner").split(" | ")[0]
            if not re.search(r"\{\w*\}", option):
                yield option


def transformations():
    """Of the list of which the target knows the rows."""
    yield "filter(Antal gt 0)/groupby((Periode),aggregate($count as N,Nr with max as M))/orderby(N desc)/top(2)"
    yield "compute(Antal mul 2 as D)/filter(D gt 5)/topcount(2,D)"
    yield "groupby((Område,Åben),aggregate(Nr with countdistinct as C))/skip(1)"
    yield "search('r')/aggregate($count as N,Fra with min as F)"


def batches():
    for part in ("GET Landet?$top=1 HTTP/1.1", "GET $1/Area HTTP/1.1\r\nContent-ID: 2", "GET x HTTP/1.1\r\nHost: h\r\nAccept: */*"):
        head = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\n"
        yield "\0" + head + part + "\r\n\r\n\r\n--b--\r\n"
    yield "\0--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--"
    requests = [{"id": "1", "method": "get", "url": "Landet?$top=1"}, {"id": "2", "method": "GET", "url": "$1/Area", "dependsOn": ["1"]}]
    yield "\1" + json.dumps({"requests": requests})
    yield "\1" + json.dumps({"requests": [requests[0] | {"headers": {"accept": "application/json"}, "body": {}, "atomicityGroup": "g"}] * 2})


def tokens():
    """Bytes of tokens: format, fingerprint, delivered, total, revision, values, hash of places; at last values of all kinds."""
    query = hashlib.sha256(b"").digest()[:16]
    kinds = [
        b"\0",
        b"\1\1",
        struct.pack("<Bq", 2, -3),
        struct.pack("<B4I", 3, 2 << 16, 12345, 0, 0),
        struct.pack("<Bd", 4, 0.5),
        b"\5\1T",
        struct.pack("<Bi", 6, 739_800),
        struct.pack("<BII", 7, 3600, 5),
        struct.pack("<BqIi", 8, 1_700_000_000, 5, 3600),
        struct.pack("<Bqi", 9, -5, -7),
        b"\x0a" + bytes(range(16)),
        b"\x0b\2ab",
        b"\x0c\2\0\x0c\0",
    ]
    for values in ([], kinds[:1], [b"\5\x07" + b"2026M07", kinds[5]], kinds[1:2], kinds):
        for places in (b"\0", b"\x10" + query):
            yield b"\4" + query + b"\x0a\x00" + b"\x00" + bytes([len(values)]) + b"".join(values) + places


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def remote_reads():
    matcher = lambda kind, name, value: field(3, field(1, kind) + field(2, name.encode()) + field(3, value.encode()))
    for matchers in (matcher(0, "__name__", "jobindsats_history_country_persons"), matcher(2, "area", "Rand.*|Å[ab]+"), matcher(9, "a", "")):
        query = field(1, 1_700_000_000_000) + field(2, 1_800_000_000_000) + matchers
        hints = field(4, field(1, 60_000) + field(2, b"rate") + field(3, 1) + field(4, 2) + field(7, 300_000))
        yield field(1, query + hints) + field(2, 0)
        yield field(1, query) + field(1, query)


def patterns():
    for pattern in ("Rand.*", "(?i)ærø", "[[:alpha:]]+", r"\d{1,3}|\pL+", "a**", "(?P<x>a)(b", "^$", "x{2,1001}", r"\Qa.b\E"):
        yield f"{pattern}\nRanders"


def users():
    key = "$sha256$" + base64.urlsafe_b64encode(hashlib.sha256(b"k").digest()).decode().rstrip("=")
    yield f"# form 1\nanne:{key}:*\nbo:-:y25i01,y30r21\njobcenter:group:y25i01\n"
    yield "anne:$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$" + "A" * 43 + ":y25i01\n"
    yield f"Anne:{key}:*\nanne:-:*\n"
    yield f"anne:{key}:*\nbo:{key}:*\n"
    yield "# form 2\nanne:-:*\n"
    yield "\ufeffæø:x:*\nno colons\n"


def sign_ins():
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    claims = {"iss": "https://login.example/", "aud": "https://tal.example", "sub": "anne", "exp": 4_000_000_000}
    for head in ({"alg": "none"}, {"alg": "HS256"}, {"alg": "ES256", "kid": "x"}, {"alg": "ES256", "typ": "JWT"}):
        yield f"\0{part(head)}.{part(claims)}.{'A' * 86}"
    for more in ({}, {"nbf": 1.5, "groups": ["a", "b"]}, {"roles": "Tal.Alt"}, {"exp": 1}, {"hasgroups": True}, {"_claim_names": {"groups": "src1"}}):
        yield "\1" + json.dumps(claims | more)
    yield "\1" + json.dumps(claims | {"aud": ["x", claims["aud"]], "exp": 4e9})
    for until in (0, 2_000_000_000, 4_000_000_000):
        yield b"\2" + struct.pack(">q", until) + b"anne"
    yield b"\2" + bytes(8) + base64.urlsafe_b64encode(struct.pack(">q", 4_000_000_000) + bytes(32) + b'{"sub":"anne"}')


def answers(binary):
    """What the simulator answers, each behind the byte that says what it is."""
    process = subprocess.Popen([binary, "simulator", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        root = next(found[1] for line in process.stdout if (found := re.search(r'url="?(http://[^"\s]+)', line)))
        get = lambda path: urllib.request.urlopen(urllib.request.Request(f"{root}/{path}", headers={"Authorization": "Bearer seed"})).read()
        metadata = [get(call + "format=json") for call in CALLS]
        return metadata, get(FIGURES)
    finally:
        process.terminate()
        process.wait()


def shortened(answer, of):
    """An answer with few of everything, so that what a fuzzer changes matters."""
    if isinstance(of, list):
        return [shortened(answer, one) for one in of[:2]]
    return {name: shortened(answer, value) for name, value in of.items()} if isinstance(of, dict) else of


def upstream(binary):
    metadata, figures = answers(binary)
    short = lambda body: json.dumps(shortened(body, json.loads(body)), ensure_ascii=False).encode()
    whole = [bytes([kind]) + short(body) for kind, body in zip((0, 1, 2, 2), metadata)]
    empty = [bytes([kind]) + b"[]" for kind in range(3)]
    table = json.loads(figures)
    labels = sum(isinstance(cell, str) for cell in table["rows"][0])
    columns = bytes([labels + 4 * min(3, len(table["columns"]) - labels)])
    few = {"columns": table["columns"][: labels + 3], "rows": [row[: labels + 3] for row in table["rows"][:3]]}
    kinds = [few, few | {"rows": []}, {"rows": few["rows"], "columns": few["columns"]}, few | {"rows": [[None] * (labels + 3)]}]
    return whole + empty, [columns + json.dumps(one, ensure_ascii=False).encode() for one in kinds]


def write(name, seeds):
    folder = ROOT / "fuzz/corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    encoded = (seed.encode() if isinstance(seed, str) else seed for seed in seeds if 0 < len(seed) <= LARGEST)
    named = sorted({hashlib.sha1(seed).hexdigest(): seed for seed in encoded}.items())
    for file, seed in named[:KEPT]:
        (folder / file).write_bytes(seed)
    print(f"{name}: {len(named[:KEPT])} of {len(named)} seeds")


def main():
    metadata, figures = upstream(sys.argv[1])
    write("url", addresses())
    write("filter", options("$filter"))
    write("apply", options("$apply"))
    write("apply", transformations())
    write("batch", batches())
    write("token", tokens())
    write("remote_read", remote_reads())
    write("pattern", patterns())
    write("users_file", users())
    write("sign_in", sign_ins())
    write("stored_file", (file.read_bytes() for file in sorted((ROOT / "tests/store/forms").rglob("*.cells"))))
    write("upstream_metadata", metadata)
    write("upstream_figures", figures)


main()
