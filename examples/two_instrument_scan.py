"""Scan two instruments against each other and watch the picture grow: heater voltage, and wavelength.

    python two_instrument_scan.py --out scan.png

For each voltage at the heater of the ring the laser is tuned through a range, and a power meter read. The
resonance moves with the power in the heater, so with the square of the voltage. With a screen, the picture is
in a window; without, it is saved after every line, so that a viewer of the file sees it grow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

import lab

Array = NDArray[np.float64]

VOLTAGES_V: Array = np.linspace(0.0, 3.0, 16)
WAVELENGTHS_NM: Array = np.linspace(1549.0, 1551.0, 81)
COMPLIANCE_A = 0.02


def on_screen() -> bool:
    """Whether there is a screen to draw on."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))


class LivePlot:
    """The transmission against wavelength and voltage, and the line that was measured last."""

    def __init__(self, out: Path) -> None:
        self.live = on_screen()
        if not self.live:
            mpl.use("Agg")
        from matplotlib import pyplot as plt

        self._out = out
        self._plt = plt
        self.transmission: Array = np.full((len(VOLTAGES_V), len(WAVELENGTHS_NM)), np.nan)
        self._figure, (map_axes, line_axes) = plt.subplots(
            2, 1, figsize=(7, 7), sharex=True, height_ratios=(2, 1), layout="constrained"
        )
        step_nm, step_v = WAVELENGTHS_NM[1] - WAVELENGTHS_NM[0], VOLTAGES_V[1] - VOLTAGES_V[0]
        edges = (
            WAVELENGTHS_NM[0] - step_nm / 2,
            WAVELENGTHS_NM[-1] + step_nm / 2,
            VOLTAGES_V[0] - step_v / 2,
            VOLTAGES_V[-1] + step_v / 2,
        )
        self._image = map_axes.imshow(self.transmission, origin="lower", aspect="auto", extent=edges)
        self._figure.colorbar(self._image, ax=map_axes, label="transmission (dB)")
        map_axes.set_ylabel("heater voltage (V)")
        (self._line,) = line_axes.plot(WAVELENGTHS_NM, np.full(len(WAVELENGTHS_NM), np.nan))
        self._line_axes = line_axes
        line_axes.set(xlabel="wavelength (nm)", ylabel="transmission (dB)")
        line_axes.locator_params(axis="x", nbins=5)
        line_axes.grid(alpha=0.3)

    def show(self, row: int, transmission_db: Array) -> None:
        """Draw one more line of the scan."""
        self.transmission[row] = transmission_db
        self._image.set_data(self.transmission)
        self._image.set_clim(np.nanmin(self.transmission), np.nanmax(self.transmission))
        self._line.set_ydata(transmission_db)
        self._line_axes.relim()
        self._line_axes.autoscale_view()
        self._line_axes.set_title(f"{VOLTAGES_V[row]:.2f} V", fontsize="medium")
        if self.live:
            self._plt.pause(0.001)
        else:
            self.save()

    def save(self) -> None:
        """Write the picture to its file, whole at any moment."""
        self._out.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._out.with_suffix(".new.png")
        self._figure.savefig(fresh, dpi=110)
        fresh.replace(self._out)

    def close(self) -> None:
        """Save the picture and forget it."""
        self.save()
        self._plt.close(self._figure)


def scan(laser: Any, smu: Any, meter: Any, plot: LivePlot) -> None:
    """The scan. Laser and heater are off at its end, however it ends."""
    heater = smu.channels[1]
    launched = 1e-3  # W: 0 dBm
    try:
        laser.power_setpoint = 0.0
        laser.output_enabled = True
        for row, voltage in enumerate(VOLTAGES_V):
            heater.apply_voltage(float(voltage), COMPLIANCE_A)
            powers = np.empty(len(WAVELENGTHS_NM))
            for column, wavelength in enumerate(WAVELENGTHS_NM):
                laser.wavelength = float(wavelength)
                laser.wait()
                powers[column] = meter.power
            plot.show(row, 10 * np.log10(np.maximum(powers, 1e-12) / launched))
    finally:
        laser.output_enabled = False
        smu.stop()


def shift_per_watt(transmission_db: Array, resistance: float) -> float:
    """How far the resonance moves with the power in the heater, in nm/W: a straight line through the dips."""
    dips = WAVELENGTHS_NM[np.argmin(transmission_db, axis=1)]
    heat = VOLTAGES_V**2 / resistance
    return float(np.polyfit(heat, dips, 1)[0])


def main() -> None:
    """Scan, and say how much the heater moves the resonance."""
    options = lab.arguments(__doc__, out="scan.png")
    plot = LivePlot(options.out)
    with lab.instruments(options.nameserver, "stage", "laser", "smu", "power_meter") as proxies:
        stage, laser, smu, meter = proxies
        stage.move_to({"x": 0.0113, "y": 0.0357})  # where laser_sweep.py finds the most light
        stage.wait()
        heater = smu.channels[1]
        heater.apply_voltage(1.0, COMPLIANCE_A)
        resistance = heater.resistance
        scan(laser, smu, meter, plot)
    plot.close()
    moves = shift_per_watt(plot.transmission, resistance)
    print(f"the heater has {resistance:.0f} Ω and moves the resonance by {moves:.1f} nm/W; see {options.out}")


if __name__ == "__main__":
    main()
