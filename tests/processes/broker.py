"""`python -m processes.broker PORT SETTINGS`: a broker that prints its port.

Besides the broker's settings there may be `storage`, a path, `open_files`, how many it may have open,
and `host`, where it listens.
"""

from __future__ import annotations

import ast
import signal
import sys
from pathlib import Path
from typing import Any

from processes.child import prepare
from pyrolab_broker.server import Broker
from pyrolab_broker.settings import BrokerSettings


def main() -> None:
    prepare()
    settings = ast.literal_eval(sys.argv[2])
    more: dict[str, Any] = {"storage": Path(settings.pop("storage"))} if "storage" in settings else {}
    if "host" in settings:
        more["host"] = settings.pop("host")
    if "open_files" in settings:
        _limit_open_files(settings.pop("open_files"))
    with Broker(port=int(sys.argv[1]), settings=BrokerSettings(**settings), **more) as broker:
        signal.signal(signal.SIGTERM, lambda *_: broker.stop())
        print(broker.address.port, flush=True)
        broker.serve_forever()


def _limit_open_files(number: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


if __name__ == "__main__":
    main()
