"""The table of Pyro5's examples: how each is run, and what it must print.

The words show that an example did its work. Where PyroLab prints others on purpose, `Either` says so.
"""

from __future__ import annotations

from thirdparty.pyro5.plays.absent import ABSENT
from thirdparty.pyro5.plays.calls import CALLS
from thirdparty.pyro5.plays.objects import OBJECTS
from thirdparty.pyro5.plays.systems import SYSTEMS
from thirdparty.pyro5.steps import Play

PLAYS: list[Play] = sorted([*CALLS, *OBJECTS, *SYSTEMS, *ABSENT], key=lambda play: play.name)
