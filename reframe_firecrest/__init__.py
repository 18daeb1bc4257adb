"""ReFrame scheduler and launcher backends for HPC systems that are reached only through FirecREST.

Importing this package in a ReFrame settings file registers the scheduler `firecrest-scheduler` and the
launcher `firecrest-srun`.
"""

# httpx and pyfirecrest import these when they are first used. ReFrame may have taken site-packages off
# sys.path by then: a settings file that inserts into sys.path makes it remove the wrong entry.
import anyio._backends._asyncio  # noqa: F401 - see above
import httpcore  # noqa: F401 - see above
import httpx._transports.default  # noqa: F401 - see above

import reframe_firecrest.plugin.registration  # noqa: F401 - importing it is what registers
from reframe_firecrest._version import __version__

__all__ = ["__version__"]
