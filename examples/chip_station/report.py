"""What was measured, in plain words, and how to measure one's own chip with one's own instruments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.padding import Padding

from findings import Findings

_HOW_TO = """\
1. Give each instrument a class, an ordinary Python class, and name it in a copy of station.yaml. \
bench_services.py shows the few lines that put one on the bus.
2. On the computer with the instruments:  pyrolab up station.yaml
3. In any script, on any computer of the lab:"""

_SCRIPT = """\
from pyrolab.api import Proxy

with Proxy("PYRONAME:laser@labserver:9090") as laser:
    laser.connect()
    laser.wavelength = 1550.0"""


def tell(findings: Findings, path: Path, console: Console | None = None) -> None:
    """Print what was done, what was found, and what to do next."""
    console = console or Console(highlight=False)
    for title, paragraphs in (
        ("What was done", _done(findings)),
        ("What was found", _found(findings)),
        ("With your own instruments", _HOW_TO.splitlines()),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        for paragraph in paragraphs:
            console.print(Padding(paragraph, (0, 0, 0, 2), expand=False))
    console.print(Padding(_SCRIPT, (1, 0, 1, 7), expand=False))
    console.print("  measure.py did no more; it never knew that its instruments were in other processes.")
    console.print(f"\nThe figure is in [bold]{path}[/bold]", soft_wrap=True)


def _done(findings: Findings) -> list[str]:
    (x, y), wavelengths = findings.alignment.best, findings.spectrum.wavelength_nm
    height, width = findings.pictures.image.shape
    return [
        f"Moved the stage to {len(findings.alignment.places)} places to find the one where most light enters "
        f"the chip: x = {1e3 * x:.1f} µm, y = {1e3 * y:.1f} µm.",
        f"Stepped the laser from {wavelengths[0]:g} to {wavelengths[-1]:g} nm in {wavelengths.size - 1} "
        "steps and read the detector at each.",
        f"Took three images of {width} × {height} pixels.",
    ]


def _found(findings: Findings) -> list[str]:
    resonances = findings.resonances
    centres = ", ".join(f"{each.centre_nm:.3f}" for each in resonances)
    quality = np.mean([each.quality_factor for each in resonances])
    width_pm = 1e3 * np.mean([each.width_nm for each in resonances])
    extinction = np.mean([each.extinction_db for each in resonances])
    return [
        f"Resonances            {centres} nm",
        f"Free spectral range   {findings.free_spectral_range_nm:.3f} nm",
        f"Quality factor        {quality:,.0f} (linewidth {width_pm:.0f} pm)",
        f"Extinction            {extinction:.1f} dB",
        f"Insertion loss        {findings.insertion_loss_db:.1f} dB, fibre to fibre, beside the resonances",
    ]
