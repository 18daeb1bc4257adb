"""Test that a service starts on a node and answers requests.

A site adapts: `command`, `path` and `expected`, in a class of its own or on the command line, for instance
``-S Service.path=/index.html``.
"""

import shlex

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import performance_function, run_before, sanity_function, variable


class ServiceTest(rfm.RunOnlyRegressionTest):
    """Start a service in a job, query it from within the job, stop it."""

    valid_systems = ["*"]
    valid_prog_environs = ["builtin"]
    sourcesdir = "src"
    executable = "python3"
    num_tasks = 1
    time_limit = "5m"

    command = variable(str)
    path = variable(str, value="/")
    expected = variable(str)
    startup_timeout = variable(int, value=120)

    @run_before("run")
    def set_arguments(self):
        words = shlex.split(self.command)
        self.executable_opts = ["serve_and_ask.py", "--path", shlex.quote(self.path)]
        self.executable_opts += ["--timeout", str(self.startup_timeout), "--", *map(shlex.quote, words)]

    @sanity_function
    def it_answers(self):
        return sn.all(
            [
                sn.assert_found(r"^answered after \S+ s with status 200$", self.stdout),
                sn.assert_found(self.expected, self.stdout),
            ]
        )

    @performance_function("s")
    def startup(self):
        return sn.extractsingle(r"^answered after (\S+) s", self.stdout, 1, float)


@rfm.simple_test
class Service(ServiceTest):
    """Python's own web server, which every system has."""

    descr = "A web server answers on its node"
    command = "python3 -m http.server --bind 127.0.0.1 {port}"
    expected = "serve_and_ask.py"


@rfm.simple_test
class JupyterServer(ServiceTest):
    """Send the first request of a notebook's page. Environments with Jupyter have the feature `jupyter`."""

    descr = "A Jupyter server answers on its node"
    valid_prog_environs = ["+jupyter"]
    command = (
        "sh -c 'exec jupyter server --no-browser --ServerApp.ip=127.0.0.1 --ServerApp.port={port} "
        '--IdentityProvider.token="$SERVICE_TOKEN"\''
    )
    path = "/api/status?token={token}"
    expected = '"kernels":'
