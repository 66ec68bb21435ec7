"""Replicas of `wick serve` with SGLang's router before them, until Ctrl-C or SIGTERM.

    pip install sglang-router==0.3.2
    python replicas.py --replicas 2 --port 8080 -- --model model.gguf --ctx 32768

The router listens at the port, and the replicas at the ports after it; all of them at 127.0.0.1, unless --host says where
the router does. What stands behind `--` goes to each `wick serve`. A replica that ends is started again after a pause. The
folder holds a log and the process id of each. At the end the router finishes what it has, then the replicas do.
"""

import argparse
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--replicas", type=int, default=2, help="how many (2)")
parser.add_argument("--host", default="127.0.0.1", help="where the router listens (127.0.0.1)")
parser.add_argument("--port", type=int, default=8080, help="of the router (8080); one more is for its figures")
parser.add_argument("--policy", default="cache_aware", help="of the router (cache_aware)")
parser.add_argument("--router", default="", help="more arguments of the router, in one text")
parser.add_argument("--wick", default="wick", help="the program (wick)")
parser.add_argument("--folder", default="replicas", type=pathlib.Path, help="for logs and process ids (replicas)")
parser.add_argument("--pause", type=float, default=1.0, help="seconds before a replica is started again (1)")
parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="of wick serve, behind --")
options = parser.parse_args()
if options.replicas < 1:
    parser.error("--replicas is below 1")

ports = range(options.port + 1, options.port + 1 + options.replicas)
figures = options.port + 1 + options.replicas
ending = False


def end(*_):
    global ending
    ending = True


def start(name, command):
    """Starts a process in a session of its own, so that Ctrl-C does not reach it before its turn."""
    with open(options.folder / f"{name}.log", "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    # Written beside and renamed: nobody reads half of it.
    part = options.folder / f"{name}.part"
    part.write_text(str(process.pid))
    os.replace(part, options.folder / f"{name}.pid")
    return process


def serve(port):
    command = [options.wick, "serve", "--host", "127.0.0.1", "--port", str(port), "--no-conversations"]
    return start(f"replica-{port}", command + options.arguments)


def route():
    command = [sys.executable, "-m", "sglang_router.launch_router", "--host", options.host]
    command += ["--port", str(options.port), "--policy", options.policy]
    command += ["--worker-urls", *(f"http://127.0.0.1:{port}" for port in ports)]
    # A replica that is gone is noticed within seconds, and has its share again as soon.
    command += ["--worker-startup-check-interval", "1", "--health-check-interval-secs", "1"]
    command += ["--health-check-timeout-secs", "5", "--health-failure-threshold", "2"]
    command += ["--health-success-threshold", "1", "--cb-timeout-duration-secs", "5"]
    # By default it moves what begins alike to another replica when 64 more wait for one than for the other.
    command += ["--balance-abs-threshold", "8"]
    # Its figures are open to everybody by default.
    command += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(figures)]
    command += ["--history-backend", "none", "--log-level", "warn"]
    return start("router", command + shlex.split(options.router))


def stop(processes):
    """Ends processes, each of which finishes what it has."""
    for process in processes:
        process.terminate()
    return [process.wait() for process in processes]


signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
options.folder.mkdir(parents=True, exist_ok=True)
replicas = {port: serve(port) for port in ports}
again = {}
router = route()
print(f"the router listens on http://{options.host}:{options.port}, replicas on {ports[0]} to {ports[-1]}", flush=True)
while not ending and router.poll() is None:
    for port, replica in list(replicas.items()):
        if replica.poll() is None:
            continue
        if port not in again:
            print(f"replica {port} ended with {replica.returncode}", flush=True)
            again[port] = time.monotonic() + options.pause
        elif time.monotonic() >= again[port]:
            del again[port]
            replicas[port] = serve(port)
            print(f"replica {port} is started again", flush=True)
    time.sleep(0.05)
if not ending:
    print(f"the router ended with {router.returncode}; its log is {options.folder / 'router.log'}", file=sys.stderr)
stop([router])
stop(replicas.values())
sys.exit(0 if ending else 1)
