"""For suites that know the scheduler ``firecrest-slurm`` of CSCS's own test suite: the same under that name.

Opt-in: ``import reframe_firecrest.compat`` in the settings file. The environment variables are the same
anyhow, and so is ``job.remotedir``.
"""

from __future__ import annotations

from reframe.core.backends import register_scheduler

from reframe_firecrest.plugin.reported_name import ReportedName
from reframe_firecrest.plugin.scheduler import FirecrestScheduler


@register_scheduler("firecrest-slurm")
class FirecrestSlurmScheduler(FirecrestScheduler):
    """`FirecrestScheduler` under the name by which some suites ask whether they run remotely."""


FirecrestSlurmScheduler.registered_name = ReportedName("firecrest-slurm")
