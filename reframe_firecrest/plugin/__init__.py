"""Interface to ReFrame: everything that ReFrame calls, and all patches of ReFrame.

Each module states what it patches or overrides, the reason, and the version of ReFrame that was checked.

Patches, applied by `registration`:

- `remote_builds`: the default of ``build_locally`` and ``RegressionTest._setup_build_job``; tests would be
  compiled on the user's machine.
- `deprecation_warnings`: ``user_deprecation_warning`` in two modules; suppressed warnings were slow.
- `reframe_session`: ``RunReport.__init__``; only the report has the id of ReFrame's session.
- `poll_pause`: ``time`` in the module of the execution policies; a pause ends when a job has ended.
- `reported_name`: ``registered_name`` of our own scheduler class; suites check for the name "slurm".
- `modules_selection`: ``System.create``, ``ModulesSystem.create`` and ``runtime.loadenv``; modules of a
  remote system are known from snapshots only.
- `cases`: ``RegressionTask.__init__`` and ``_notify_listeners``; a scheduler sees jobs only.
- `registration`: ``FirecrestSrun.registered_name``, of our own class; suites check for the name "srun".

Private names that are overridden or set in derived classes:

- `job`: the base class ``_SlurmJob`` and its attribute ``_nodespec``; ``prepare`` would load modules locally
  (see `environments`), and ``nodelist`` would run ``scontrol`` locally.
- `remote_modules`: ``_execute``, ``_do_validate`` and ``_load_module`` of the modules systems, which would
  run commands locally.
- `scheduler`: methods that would run Slurm commands locally, and attributes of jobs without setters.

`launcher`, `nodes`, `job_spec`, `remote_session` and `reframe_log` use public names only. The audit hook of
`staging.read_guard` does not patch ReFrame.
"""
