"""ReFrame scheduler and launcher backends for HPC systems that are reached only through FirecREST.

Importing this package in a ReFrame settings file registers the scheduler `firecrest-scheduler` and the
launcher `firecrest-srun`. What only a run needs, such as the HTTP library, is imported when a run starts; see
`plugin.deferred_imports`.
"""

import reframe_firecrest.plugin.registration  # noqa: F401 - importing it is what registers
from reframe_firecrest._version import __version__

__all__ = ["__version__"]
