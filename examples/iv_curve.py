"""Measure the current of a photodiode against its voltage, in the dark and with light, with an SMU.

    python iv_curve.py

From the curves: the ideality and the saturation current of the diode, and the photocurrent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import lab

Array = NDArray[np.float64]

#: kT/q at 300 K, in V.
THERMAL_VOLTAGE = 0.02585
START_V, STOP_V, POINTS, COMPLIANCE_A = -1.0, 0.6, 65, 0.01


def curve(channel: Any) -> tuple[Array, Array]:
    """Voltages in V and currents in A. The output is off before and after."""
    channel.source_mode = "voltage"
    channel.compliance_current = COMPLIANCE_A
    channel.nplc = 10.0
    measured = channel.sweep(START_V, STOP_V, POINTS)
    return np.asarray(measured.voltage), np.asarray(measured.current)


def diode_constants(voltage: Array, current: Array) -> tuple[float, float]:
    """Ideality and saturation current in A: slope and foot of the logarithm of the current."""
    forward = (voltage > 0.2) & (current < 0.9 * COMPLIANCE_A)
    slope, foot = np.polyfit(voltage[forward], np.log(current[forward]), 1)
    return float(1.0 / (slope * THERMAL_VOLTAGE)), float(np.exp(foot))


def main() -> None:
    """Measure twice, and say what the diode is like."""
    options = lab.arguments(__doc__)
    with lab.instruments(options.nameserver, "smu", "laser", "stage") as (smu, laser, stage):
        diode = smu.channels[2]
        laser.output_enabled = False
        voltage, dark = curve(diode)
        stage.move_to({"x": 0.0113, "y": 0.0357})  # where laser_sweep.py finds the most light
        stage.wait()
        laser.power_setpoint = 10.0  # dBm
        laser.output_enabled = True
        try:
            _, lit = curve(diode)
        finally:
            laser.output_enabled = False
    ideality, saturation = diode_constants(voltage, dark)
    backwards = voltage < -0.2
    photocurrent = float(np.mean(dark[backwards] - lit[backwards]))
    print(f"ideality {ideality:.2f}, saturation current {1e9 * saturation:.2f} nA")
    print(f"photocurrent {1e6 * photocurrent:.1f} µA with 10 dBm in the fibre")


if __name__ == "__main__":
    main()
