"""Start a service, wait until it answers, print the answer, stop the service.

    serve_and_ask.py --path /api --timeout 60 -- some-server --port {port}

`{port}` in the command is replaced by a free port of this node. The environment has SERVICE_TOKEN, a word
that no other user knows, for services that require one; `{token}` in the path is replaced by it.
"""

import argparse
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(url):
    # Two processes of one node must not use the proxy of the site.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", default="/")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    port, token = free_port(), secrets.token_hex(16)
    command = [word.replace("{port}", str(port)) for word in options.command]
    url = f"http://127.0.0.1:{port}{options.path.replace('{token}', token)}"
    began = time.monotonic()
    service = subprocess.Popen(command, env={**os.environ, "SERVICE_TOKEN": token}, stdout=sys.stderr)
    try:
        while True:
            try:
                status, body = ask(url)
                break
            except OSError as error:
                if service.poll() is not None:
                    sys.exit(f"the service ended with exit code {service.returncode} before it answered")
                if time.monotonic() - began > options.timeout:
                    sys.exit(f"the service has not answered within {options.timeout:.0f} s: {error}")
                time.sleep(0.1)
        print(f"answered after {time.monotonic() - began:.3f} s with status {status}")
        print(body)
    finally:
        service.terminate()
        service.wait(30)


if __name__ == "__main__":
    main()
