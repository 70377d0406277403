"""DATA-6: nothing is downloaded while the submission runs.

Catches: reached calls that fetch data or weights from a hub or an address, or that talk to another
machine through a socket. A package that is
installed, or a kernel that is fetched, is a warning: on the contest's machine it may be cached.
Does not cover: network use inside packages; preparation scripts, which the entry does not start.
"""

from __future__ import annotations

from collections.abc import Iterator

from audits.facts.events import Download
from audits.facts.trace import Trace
from audits.match import Match
from audits.rules.cases import script

RULE = "DATA-6"


def check(trace: Trace) -> Iterator[Match]:
    for one in trace.downloads:
        sure = one.data and not one.moment.ambiguous
        yield Match.at(
            one.site,
            f"{one.name} {_does(one)} while the submission runs",
            (one.moment,),
            ("fetched here", one.site),
            sure=sure,
        )


def _does(one: Download) -> str:
    if one.name.startswith("socket."):
        return "talks to another machine"
    return f"fetches {'data' if one.data else 'code'}"


_SCORED = """
for start in range(0, len(val_tokens), 512):
    x, y = batch(val_tokens, start)
    add(model(x, y), y)
"""
VALID = (
    # Only behind a switch that is off.
    script(
        """
        import urllib.request

        if int(os.environ.get("FETCH_DATA", "0")):
            urllib.request.urlretrieve("https://example.org/shards.tar", "shards.tar")
        """
    ).replace("\nval_loss =", _SCORED + "\nval_loss ="),
    # A free port of this machine.
    script(
        """
        import socket

        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
            link.bind(("", 0))
            os.environ["MASTER_PORT"] = str(link.getsockname()[1])
        other = socket.socket()
        other.connect(("127.0.0.1", 29500))
        other.sendall(b"ready")
        """
    ).replace("\nval_loss =", _SCORED + "\nval_loss ="),
    # A program that asks the machine about itself.
    script(
        """
        import subprocess

        print(subprocess.run(["nvidia-smi"], capture_output=True).stdout)
        """
    ).replace("\nval_loss =", _SCORED + "\nval_loss ="),
)
INVALID = (
    script(
        """
        import socket

        link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            link.connect(("203.0.113.7", 8080))
            link.sendall(b"ready")
        except OSError:
            print("offline")
        """
    ).replace("\nval_loss =", _SCORED + "\nval_loss ="),
    script(
        """
        from huggingface_hub import snapshot_download

        if not os.path.exists("data/shards"):
            snapshot_download(repo_id="someone/shards", repo_type="dataset", local_dir="data")
        """
    ).replace("\nval_loss =", _SCORED + "\nval_loss ="),
)
