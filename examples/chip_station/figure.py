"""The figure: the chip under the microscope, the alignment, the spectrum, and one resonance with its fit.

Colours are those of Okabe and Ito, which most colour-blind people can tell apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from analysis import baseline
from findings import Array, Findings, Resonance

BLUE, ORANGE, GREEN, SKY = "#0072B2", "#E69F00", "#009E73", "#56B4E9"
_STYLE = {"fontsize": 8}
_SCALE_BAR_UM = 50.0


def draw(findings: Findings, path: Path) -> None:
    """Draw everything and save it as a PNG."""
    figure = Figure(figsize=(7.6, 6.6), dpi=200, layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1.0), height_ratios=(1.15, 1.0))
    panels = (_draw_picture, _draw_alignment, _draw_spectrum, _draw_resonance)
    for place, panel in enumerate(panels):
        axes = figure.add_subplot(grid[place // 2, place % 2])
        panel(axes, findings)
        axes.set_title("abcd"[place], loc="left", fontsize=10, fontweight="bold")
        axes.tick_params(labelsize=7)
    figure.savefig(path, format="png")


def _draw_picture(axes: Any, findings: Findings) -> None:
    pictures = findings.pictures
    image, um_per_px = pictures.image, pictures.um_per_px
    low, high = np.percentile(image, (1, 99.9))
    norm = PowerNorm(0.6, 0.8 * low, high)  # the dark parts are the chip, the bright ones the light in it
    axes.imshow(image, cmap="gray", norm=norm, interpolation="antialiased")
    axes.set_axis_off()
    axes.set_title("Microscope, laser on a resonance", **_STYLE)
    x, y = pictures.spot_px
    axes.add_patch(Circle((x, y), 12.0 / um_per_px, fill=False, edgecolor=ORANGE, linewidth=1.4))
    label = {"color": ORANGE, "fontsize": 7, "va": "center"}
    axes.annotate(
        "input fibre", (x - 12 / um_per_px, y), (x - 22 / um_per_px, y), ha="right", **label,
        arrowprops={"arrowstyle": "-", "color": ORANGE},
    )  # fmt: skip
    height, width = image.shape
    left, bar = 0.05 * width, _SCALE_BAR_UM / um_per_px
    axes.add_line(Line2D([left, left + bar], [0.08 * height] * 2, color="white", linewidth=2.5))
    axes.text(
        left + bar / 2, 0.06 * height, f"{_SCALE_BAR_UM:.0f} µm", color="white", ha="center", va="bottom",
        fontsize=7,
    )  # fmt: skip


def _draw_alignment(axes: Any, findings: Findings) -> None:
    alignment = findings.alignment
    places = 1e3 * np.asarray(alignment.places)
    power_dbm = 10 * np.log10(np.maximum(alignment.powers, 1e-12) / 1e-3)
    x, y = (np.unique(places[: alignment.raster, axis].round(3)) for axis in (0, 1))
    table = np.empty((y.size, x.size))
    for (px, py), power in zip(places[: alignment.raster].round(3), power_dbm, strict=False):
        table[np.searchsorted(y, py), np.searchsorted(x, px)] = power
    mesh = axes.pcolormesh(x, y, table, cmap="cividis", vmin=-80, vmax=0, shading="nearest")
    axes.set_aspect("equal")
    axes.set_xlabel("stage x (µm)", **_STYLE)
    axes.set_ylabel("stage y (µm)", **_STYLE)
    axes.set_title("Search for light, and climb (inset)", **_STYLE)
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.85)
    bar.set_label("power on the detector (dBm)", **_STYLE)
    bar.ax.tick_params(labelsize=7)
    begin = places[[int(np.argmax(power_dbm[: alignment.raster]))]]
    _draw_climb(axes, np.concatenate((begin, places[alignment.raster :])), 1e3 * np.asarray(alignment.best))


def _draw_climb(axes: Any, climb: Array, best: Array) -> None:
    """All places of the climb in their order, in an inset away from the light."""
    left, bottom = (0.09 if best[axis] > 0 else 0.57 for axis in (0, 1))
    inset = axes.inset_axes((left, bottom, 0.4, 0.4))
    inset.set_facecolor("black")
    inset.plot(climb[:, 0], climb[:, 1], ".-", color=SKY, linewidth=0.6, markersize=2.5)
    inset.plot(*best, "o", color=ORANGE, markersize=5, markeredgecolor="white")
    reach = 1.15 * float(np.abs(climb - best).max())
    inset.set_xlim(best[0] - reach, best[0] + reach)
    inset.set_ylim(best[1] - reach, best[1] + reach)
    inset.tick_params(labelsize=5.5, colors="white", length=2, pad=1)
    for spine in inset.spines.values():
        spine.set_edgecolor("white")
    axes.indicate_inset_zoom(inset, edgecolor="white")


def _draw_spectrum(axes: Any, findings: Findings) -> None:
    spectrum = findings.spectrum
    axes.plot(spectrum.wavelength_nm, spectrum.decibels, color=BLUE, linewidth=0.9, label="measured")
    level = 10 * np.log10(baseline(spectrum))
    axes.plot(spectrum.wavelength_nm, level, "--", color=ORANGE, linewidth=1, label="beside the dips")
    for resonance in findings.resonances:
        dip = np.abs(spectrum.wavelength_nm - resonance.centre_nm) < resonance.width_nm
        bottom = float(spectrum.decibels[dip].min())
        place = {"ha": "center", "va": "top", "fontsize": 6.5, "textcoords": "offset points"}
        axes.annotate(f"{resonance.centre_nm:.3f}", (resonance.centre_nm, bottom), (0, -3), **place)
    axes.set_xlim(spectrum.wavelength_nm[0], spectrum.wavelength_nm[-1])
    axes.set_ylim(spectrum.decibels.min() - 3.5, spectrum.decibels.max() + 2.0)
    axes.set_xlabel("wavelength (nm)", **_STYLE)
    axes.set_ylabel("transmission (dB)", **_STYLE)
    axes.set_title(f"Spectrum, free spectral range {findings.free_spectral_range_nm:.3f} nm", **_STYLE)
    axes.legend(fontsize=7, loc="lower left", frameon=False)


def _draw_resonance(axes: Any, findings: Findings) -> None:
    spectrum, resonance = findings.spectrum, findings.middle
    reach = 4 * resonance.width_nm
    near = np.abs(spectrum.wavelength_nm - resonance.centre_nm) < reach
    measured = spectrum.transmission[near] / baseline(spectrum)[near]
    detuning_pm = 1e3 * (spectrum.wavelength_nm[near] - resonance.centre_nm)
    axes.plot(detuning_pm, measured, "o", color=BLUE, markersize=3, label="measured")
    fine = np.linspace(-reach, reach, 400)
    curve = resonance.shape(resonance.centre_nm + fine)
    axes.plot(1e3 * fine, curve, color=ORANGE, linewidth=1.2, label="Lorentzian fit", zorder=0)
    _mark_width(axes, resonance)
    axes.set_xlabel(f"detuning from {resonance.centre_nm:.4f} nm (pm)", **_STYLE)
    axes.set_ylabel("transmission of the ring", **_STYLE)
    axes.set_ylim(0.0, 1.12)
    axes.set_title(f"One resonance, Q = {resonance.quality_factor:,.0f}", **_STYLE)
    axes.legend(fontsize=7, loc="lower right", frameon=False)


def _mark_width(axes: Any, resonance: Resonance) -> None:
    half, width_pm = 1 - resonance.depth / 2, 1e3 * resonance.width_nm
    axes.annotate(
        "", (-width_pm / 2, half), (width_pm / 2, half), arrowprops={"arrowstyle": "<->", "color": GREEN}
    )
    axes.annotate(f"{width_pm:.1f} pm", (width_pm * 0.65, half), fontsize=7, color=GREEN, va="center")
