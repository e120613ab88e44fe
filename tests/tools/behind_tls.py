#!/usr/bin/env python3
"""Runs the recipes of deploy/ as they are written, but for ports and certificates: nginx and Caddy with TLS in front of the program, under a
sub-path, and nginx where another program, played here, has signed people in.

    tests/tools/behind_tls.py target/debug/jobindsats-bridge

Needs curl, openssl, and nginx and caddy of the Debian packages; installs nothing."""

import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from service import free_port, listens, unset

NAME, PASSWORD, COOKIE = "tal.example", "hemmelig kode", "anne@kommune.example"
ROWS = "odata/jobindsats/y25i01/Kommuner?$filter=contains(Område,'ø') and Periode eq '2026M06'"
work = pathlib.Path(tempfile.mkdtemp(prefix="behind-tls-"))
work.chmod(0o755)
program, deploy = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(__file__).resolve().parents[2] / "deploy"
path = f"{os.environ['PATH']}:/usr/sbin"


class SignedIn(http.server.BaseHTTPRequestHandler):
    """What a program that signs people in says of a request."""

    def do_GET(self):
        who = (self.headers["Cookie"] or "").removeprefix("session=")
        asked = self.path.startswith("/oauth2/sign_in")
        self.send_response(302 if asked else 202 if who else 401)
        if asked:
            back = urllib.parse.quote(self.headers["X-Auth-Request-Redirect"] or "", safe="")
            self.send_header("Location", f"https://login.example/authorize?state={back}")
        if who:
            self.send_header("X-Auth-Request-Email", who)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(command, port, settings):
    with open(work / "log", "ab") as log:
        process = subprocess.Popen(command, env={**unset(), **settings, "PATH": path}, stdout=log, stderr=log)
    try:
        while not listens(port):
            assert process.poll() is None, (work / "log").read_text(encoding="utf-8")[-2000:]
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


class Front:
    """The address that people use."""

    def __init__(self, port):
        self.port, self.url = port, f"https://{NAME}:{port}/jobindsats/"

    def ask(self, address, *arguments):
        """Status, headers in lower case, and body."""
        url = address if address.startswith("https://") else self.url + address
        command = ["curl", "-sS", "-g", "-m", "20", "--noproxy", "*", "--cacert", work / "tls.crt", "--resolve",
                   f"{NAME}:{self.port}:127.0.0.1", "-D", work / "head", "-o", work / "body", *arguments,
                   url.replace(" ", "%20")]
        subprocess.run(command, check=True)
        head = (work / "head").read_text(encoding="latin-1").strip().splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        return int(head[0].split()[1]), headers, (work / "body").read_bytes()

    def rows(self, *arguments):
        """The rows of all pages; each link leads through the proxy."""
        address, rows = ROWS, []
        while address:
            status, _, body = self.ask(address, "-H", "Prefer: odata.maxpagesize=20", *arguments)
            assert status == 200, (status, body)
            page = json.loads(body)
            assert page["@odata.context"].startswith(self.url), page["@odata.context"]
            rows, address = rows + page["value"], page.get("@odata.nextLink")
            assert address is None or address.startswith(self.url), address
        return rows


def recipe(name, bridge, front, sign_in):
    """The text of a recipe with the ports and files of this machine."""
    text = (deploy / name).read_text(encoding="utf-8")
    for written, here in [("127.0.0.1:8080", f"127.0.0.1:{bridge}"), ("127.0.0.1:4180", f"127.0.0.1:{sign_in}"),
                          (f"/etc/ssl/certs/{NAME}.crt", f"{work}/tls.crt"),
                          (f"/etc/ssl/private/{NAME}.key", f"{work}/tls.key"),
                          ("listen 443", f"listen 127.0.0.1:{front}"), (f"\n{NAME} {{", f"\n{NAME}:{front} {{")]:
        text = text.replace(written, here)
    return text


def command(name, bridge, front, sign_in):
    text = recipe(name, bridge, front, sign_in)
    if name == "Caddyfile":
        (work / name).write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text, encoding="utf-8")
        return ["caddy", "run", "--config", work / name, "--adapter", "caddyfile"]
    temporary = "".join(f"{kind}_temp_path {work}/{kind};\n" for kind in
                        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"])
    (work / name).write_text(f"daemon off;\npid {work}/pid;\nerror_log {work}/log;\nevents {{}}\n"
                             f"http {{\naccess_log off;\n{temporary}{text}\n}}\n", encoding="utf-8")
    return ["nginx", "-p", work, "-c", work / name, "-e", work / "log"]


def check_everywhere(front, direct):
    """What must hold behind every proxy, for a user with a password."""
    user = ["-u", f"bo:{PASSWORD}"]
    assert len(front.rows(*user)) > 20
    status, headers, body = front.ask("export/y25i01/Kommuner.csv?$top=5000", *user)
    whole = subprocess.run(["curl", "-sS", "-g", *user, f"{direct}/export/y25i01/Kommuner.csv?$top=5000"], check=True,
                           capture_output=True).stdout
    assert status == 200 and body == whole and len(body) > 100_000, (status, len(body), len(whole))
    batch = json.dumps({"requests": [{"id": "1", "method": "GET", "url": "Landet?$top=1"}]})
    status, _, body = front.ask("odata/jobindsats/y25i01/$batch", *user, "-H", "Content-Type: application/json", "-d", batch)
    assert status == 200 and json.loads(body)["responses"][0]["status"] == 200, body
    status, headers, _ = front.ask("odata/", "-H", "X-Forwarded-User: bo")
    assert status == 401 and headers["www-authenticate"].startswith("Basic "), (status, headers)
    status, headers, _ = front.ask(front.url.rstrip("/"))
    assert status in (301, 308) and headers["location"].endswith("/jobindsats/"), (status, headers)


def check_pages(front):
    status, _, body = front.ask("", "-u", f"bo:{PASSWORD}", "-H", "Accept: text/html")
    assert status == 200 and b"Jobindsats" in body and b'href="/' not in body, status


def check_signed_in(front):
    signed = ["-b", f"session={COOKIE}"]
    status, headers, _ = front.ask("nyt?kommune=751&sprog=en")
    back = urllib.parse.unquote(headers.get("location", "").partition("?state=")[2])
    assert (status, back) == (302, "/jobindsats/nyt?kommune=751&sprog=en"), (status, headers)
    assert front.ask("nyt", *signed, "-H", "Accept: text/html")[0] == 200
    for forged in ([], ["-H", "X-Forwarded-User: bo"]):
        listed = json.loads(front.ask("odata/Datasets", *signed, *forged)[2])["value"]
        assert [row["Identifier"] for row in listed] == ["y25i01"], "the tables of who is signed in"
    assert len(front.rows(*signed)) > 20
    assert front.ask("odata/", "-b", "session=nobody")[0] == 403
    assert front.ask("nyt", "-H", "X-Forwarded-User: bo")[0] == 302


def main():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}", "-addext",
                    f"subjectAltName=DNS:{NAME}", "-keyout", work / "tls.key", "-out", work / "tls.crt"],
                   check=True, capture_output=True)
    settings = {"BRIDGE_USERS_FILE": f"{work}/users"}
    for arguments in [["bo"], [COOKIE, "--proxy", "--tables", "y25i01"]]:
        subprocess.run([program, "user", "add", *arguments], input=PASSWORD, text=True, env={**unset(), **settings},
                       check=True, capture_output=True)
    sign_in = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SignedIn)
    threading.Thread(target=sign_in.serve_forever, daemon=True).start()
    bridge, front = free_port(), Front(free_port())
    settings |= {"BRIDGE_LISTEN": f"127.0.0.1:{bridge}", "BRIDGE_DATA_DIR": f"{work}/data", "NO_COLOR": "1",
                 "BRIDGE_TRUSTED_PROXIES": "127.0.0.1", "BRIDGE_USER_HEADER": "X-Forwarded-User",
                 "BRIDGE_PUBLIC_URL": front.url.rstrip("/")}
    with running([program], bridge, settings):
        direct = f"http://127.0.0.1:{bridge}"
        while subprocess.run(["curl", "-sf", "-o", "/dev/null", f"{direct}/readyz"]).returncode:
            time.sleep(0.2)
        for name in ["nginx-sub-path.conf", "Caddyfile", "nginx-sign-in.conf"]:
            with running(command(name, bridge, front.port, sign_in.server_address[1]), front.port, {"HOME": str(work)}):
                check_everywhere(front, direct)
                check_signed_in(front) if name == "nginx-sign-in.conf" else check_pages(front)
            print(f"{name} passes everything on", flush=True)


try:
    main()
finally:
    subprocess.run(["rm", "-rf", work])
