"""Registration of the backends, and application of the patches; the package imports this module once.

ReFrame refuses a name that is registered twice, and imports the module of the job class again when it
restores a session (4.10). So the backends are not registered in the modules of their classes.
"""

from __future__ import annotations

import gc

from reframe.core.backends import register_launcher, register_scheduler
from reframe.core.fields import ConstantField

from reframe_firecrest.plugin.cases import observe_test_cases
from reframe_firecrest.plugin.deprecation_warnings import warn_only_where_seen
from reframe_firecrest.plugin.launcher import FirecrestSrun
from reframe_firecrest.plugin.modules_selection import answer_from_snapshots
from reframe_firecrest.plugin.poll_pause import shorten_pauses
from reframe_firecrest.plugin.reframe_session import remember_sessions
from reframe_firecrest.plugin.remote_builds import build_remotely_by_default
from reframe_firecrest.plugin.reported_name import ReportedName
from reframe_firecrest.plugin.run_start import read_settings_first
from reframe_firecrest.plugin.scheduler import FirecrestScheduler

register_scheduler("firecrest-scheduler")(FirecrestScheduler)
register_launcher("firecrest-srun")(FirecrestSrun)
# Public test suites check for a scheduler named "slurm" and a launcher named "srun".
FirecrestScheduler.registered_name = ReportedName("slurm")
FirecrestSrun.registered_name = ConstantField("srun")
build_remotely_by_default()
warn_only_where_seen()
remember_sessions()
answer_from_snapshots()
shorten_pauses()
observe_test_cases()
read_settings_first()

# The modules that are loaded now stay for good, so Python's garbage collector need not examine them again and
# again: this takes 0.1 s from each command, most of it at exit. The tests, which may have files to be
# closed at exit, are loaded later.
gc.freeze()
