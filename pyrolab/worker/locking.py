"""`LockableDaemon`: a name that users of PyroLab know."""

from __future__ import annotations

from pyrolab.worker.daemon import Daemon


class LockableDaemon(Daemon):
    """A `Daemon`: a client can have any service for itself now, of whatever daemon, with `stage.lock("ana")`.

    So nothing is added to what is registered, and it may be a class or an object. The broker knows who has
    which service.
    """
