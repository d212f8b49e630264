"""``python -m sandbox``: run the simulated province, or one server of it, or move its clock.

serve    start every server, light ones several to a process, and stay until SIGTERM or SIGINT
advance  move the clocks of all sources of a running sandbox forward
run      run servers in this process (what ``serve`` starts; useful alone for a look at one server)
"""

import argparse
import json
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sandbox.clock import advance
from sandbox.home import HomeError, SandboxHome
from sandbox.http import listen
from sandbox.serve import serve
from sandbox.servers import SERVERS, listeners_of, run_servers, stop_with_parent


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives back the exit code."""
    asked = _parser().parse_args(arguments)
    home = SandboxHome(asked.home.absolute())
    try:
        if asked.command == "serve":
            home.settle(seed=asked.seed, size=asked.size, as_of=asked.as_of)
            ports = json.loads(asked.ports.read_text("utf-8")) if asked.ports else home.ports()
            return serve(home, asked.only or list(SERVERS), ports)
        if asked.command == "advance":
            print(f"the clocks stand at {advance(home, asked.days).isoformat()}")
            return 0
        _run(home, asked)
    except HomeError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0


def _run(home: SandboxHome, asked: argparse.Namespace) -> None:
    if asked.guard is not None:
        stop_with_parent(asked.guard)
    names = [listener for name in asked.names for listener in listeners_of(name)]
    if asked.fds:
        listeners = {name: socket.socket(fileno=one) for name, one in zip(names, asked.fds, strict=True)}
    else:
        listeners = {name: listen(asked.port if name == asked.names[0] else 0) for name in names}
        for name, listener in listeners.items():
            scheme = "http" if name in SERVERS else "https"
            print(f"{name}: {scheme}://{listener.getsockname()[0]}:{listener.getsockname()[1]}", flush=True)
    run_servers(home, listeners)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)

    serving = commands.add_parser("serve", help="run the whole province")
    _add_home(serving)
    serving.add_argument("--size", type=int, help="dossiers received in the half-year before --as-of (first start)")
    serving.add_argument("--as-of", type=datetime.fromisoformat, help="where the clock starts, ISO (first start)")
    serving.add_argument("--seed", type=int, help="another seed is another province (first start)")
    serving.add_argument("--ports", type=Path, help="JSON file with a preferred port per server")
    serving.add_argument("--only", nargs="+", choices=list(SERVERS), help="start these servers and no others")

    advancing = commands.add_parser("advance", help="move the clocks of a running sandbox")
    _add_home(advancing)
    advancing.add_argument("--days", type=int, required=True, help="calendar days")

    running = commands.add_parser("run", help="run servers in this process")
    running.add_argument("names", nargs="+", choices=list(SERVERS), metavar="NAME")
    _add_home(running)
    running.add_argument("--port", type=int, default=0, help="of the first of them; 0: the system picks one")
    running.add_argument("--fds", type=int, nargs="+", help=argparse.SUPPRESS)  # listening sockets, instead of a port
    running.add_argument("--guard", type=int, help=argparse.SUPPRESS)  # a pipe: stop when its other end is closed
    return parser


def _add_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--home", type=Path, required=True, help="the sandbox's directory")


if __name__ == "__main__":
    sys.exit(main())
