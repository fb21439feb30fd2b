"""`python -m processes.broker PORT SETTINGS`: a broker that prints its port."""

from __future__ import annotations

import ast
import signal
import sys

from pyrolab_broker.server import Broker
from pyrolab_broker.settings import BrokerSettings


def main() -> None:
    settings = BrokerSettings(**ast.literal_eval(sys.argv[2]))
    with Broker(port=int(sys.argv[1]), settings=settings) as broker:
        signal.signal(signal.SIGTERM, lambda *_: broker.stop())
        print(broker.address.port, flush=True)
        broker.serve_forever()


if __name__ == "__main__":
    main()
