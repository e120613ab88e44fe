"""Signs a client in that asks with `requests` and knows nothing of it, in one of the ways that the bridge takes.

    SIGN_IN='basic anne:hemmelig' sign_in.py workbook.py http://127.0.0.1:8080

`basic NAME:PASSWORD`, `key KEY` for a key in the address, `header NAME:VALUE` as a proxy sends it. A key is left out where a link has a
grant: it is not known that every client repeats it there.
"""

import os
import runpy
import sys
from pathlib import Path

import requests

WAY, _, REST = os.environ["SIGN_IN"].partition(" ")
FIRST, _, SECOND = REST.partition(":")


class SignIn(requests.auth.AuthBase):
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        match WAY:
            case "basic":
                return requests.auth.HTTPBasicAuth(FIRST.encode(), SECOND.encode())(request)
            case "header":
                request.headers[FIRST] = SECOND
            case "key" if "grant=" not in request.url:
                request.url += f"{'&' if '?' in request.url else '?'}api_key={FIRST}"
        return request


class Session(requests.Session):
    def __init__(self) -> None:
        super().__init__()
        self.auth = SignIn()


if __name__ == "__main__":
    requests.Session = requests.sessions.Session = Session
    del sys.argv[0]
    sys.argv[0] = str(Path(__file__).with_name(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
