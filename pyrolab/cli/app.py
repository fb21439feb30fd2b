"""The `pyrolab` command. Each command loads what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pyrolab import __version__, config
from pyrolab.cli.configuration import config_app

app = typer.Typer(
    name="pyrolab",
    help="Every instrument of a lab as a local Python object.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config_app)

ConfigFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[CONFIG]", help="A configuration (YAML). Without it, the one that you made your own."
    ),
]
Host = Annotated[str | None, typer.Option("--host", "--nameserver", help="Host of the broker, or host:port.")]
Port = Annotated[int | None, typer.Option(help="Port of the broker.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"PyroLab {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-v", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Every instrument of a lab as a local Python object."""


@app.command()
def up(
    file: ConfigFile = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", "-f", help="Stay here until Ctrl-C (for systemd, containers).")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until everything is up.")] = 60.0,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Host simulated twins of the instruments, and touch none.")
    ] = False,
) -> None:
    """Start the broker and the daemons of a configuration; return when every service can be reached."""
    from pyrolab.cli import processes

    raise typer.Exit(processes.up(file, foreground, timeout, simulate))


@app.command()
def wiretap(
    name: Annotated[str, typer.Argument(help="The instrument's name.")],
    to: Annotated[Path | None, typer.Option(help="Write it to this file too; it can be replayed.")] = None,
    entries: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Show what an instrument's driver sends and receives, until Ctrl-C."""
    from pyrolab.cli import drivers

    raise typer.Exit(drivers.wiretap(name, to, entries, host, port))


@app.command()
def new_driver(
    name: Annotated[str, typer.Argument(help="The class to be, such as AcmePM5.")],
    base: Annotated[str, typer.Option(help="Its base class, such as PowerMeter.")] = "Instrument",
    folder: Annotated[Path, typer.Option("--in", help="Where to write the files.")] = Path(),
) -> None:
    """Write a driver to begin with: a class, a simulator of its instrument, and a test of both."""
    from pyrolab.cli import drivers

    raise typer.Exit(drivers.new_driver(name, base, folder))


@app.command()
def down() -> None:
    """Stop everything that `up` started."""
    from pyrolab.cli import processes

    raise typer.Exit(processes.down())


@app.command()
def ps(host: Host = None, port: Port = None, json: AsJson = False) -> None:
    """Show what runs and how much it has to do; with --nameserver, the services of that broker."""
    from pyrolab.cli import brokers, processes

    if host is not None or port is not None:
        raise typer.Exit(brokers.ps(host, port, json))
    raise typer.Exit(processes.ps(json))


@app.command()
def estop(
    reason: Annotated[str, typer.Argument(help="Why; everybody is told.")] = "",
    reset: Annotated[bool, typer.Option("--reset", help="Let calls run again.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Stop every instrument now: run all stop hooks, and let no call run until it is reset."""
    from pyrolab.cli import stopping

    raise typer.Exit(stopping.reset(host, port) if reset else stopping.estop(reason, host, port))


@app.command()
def audit(
    user: Annotated[str | None, typer.Option(help="Who: a pattern of a user, or of user@host.")] = None,
    service: Annotated[str | None, typer.Option(help="A pattern of a service.")] = None,
    call: Annotated[
        str | None, typer.Option("--call", "--action", help="A part of the call as it is shown, or its id.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From when on: '90s', '15min', '2h', '3d', '10:30', '2026-11-24 10:00'."),
    ] = None,
    outcome: Annotated[str | None, typer.Option(help="How it ended: 'done', 'raised', 'no end', …")] = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="So many at most; 0: all.")] = 50,
    json: AsJson = False,
) -> None:
    """Show who did what to the instruments of this computer, and how it ended."""
    from pyrolab.cli import audit

    raise typer.Exit(audit.audit(audit.Search(user, service, call, outcome), since, last, json))


@app.command()
def info(
    name: Annotated[str | None, typer.Argument(help="A name server, daemon or service.")] = None,
    json: AsJson = False,
) -> None:
    """Show where PyroLab keeps its files and what runs, or all about one entry of the configuration."""
    from pyrolab.cli import information

    raise typer.Exit(information.info(name, json))


@app.command()
def nslist(host: Host = None, port: Port = None, prefix: str = "", json: AsJson = False) -> None:
    """List the names that a broker knows."""
    from pyrolab.cli import brokers

    raise typer.Exit(brokers.nslist(host, port, prefix, json))


@app.command()
def stubs(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Names of services, as `nslist` shows them.")
    ],
    out: Annotated[Path | None, typer.Option(help="The .pyi to write; without it, the terminal.")] = None,
    host: Host = None,
    port: Port = None,
) -> None:
    """Write the types of running services, so that editors and type checkers know their members."""
    from pyrolab.cli import stubs

    raise typer.Exit(stubs.stubs(names, out, host, port))


@app.command()
def view(
    name: Annotated[
        str, typer.Argument(help="A stream, as 'microscope.frames'; a service will do if it has only one.")
    ],
    colormap: Annotated[str, typer.Option(help="Colours: 'gray', 'viridis', 'inferno', …")] = "gray",
    levels: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="What is black and what is white; else by percentiles."),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Only these rows and columns, as '100:200,50:80'.")
    ] = None,
    binning: Annotated[
        int | None, typer.Option(min=1, help="Means of so many × so many pixels, made at the source.")
    ] = None,
    max_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Frames per second at most; 25, or 10 in a terminal.")
    ] = None,
    compression: Annotated[
        str | None, typer.Option(help="For slow links: 'zstd', 'blosc2', or 'jpeg', which is not exact.")
    ] = None,
    path: Annotated[
        str | None, typer.Option(help="Insist on a way: 'shared memory', 'direct' or 'relay'.")
    ] = None,
    last: Annotated[float, typer.Option(min=0.001, help="Seconds that a curve of values shows.")] = 60.0,
    frames: Annotated[int | None, typer.Option("--frames", "-n", min=1, help="End after so many.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the last picture (.png, .pdf, .svg) or its pixels (.npy).")
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", "-t", help="Draw here, not in a window.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Show a stream live: pictures, traces or values, in a window or roughly in the terminal."""
    from pyrolab.cli import viewing

    wishes = viewing.Wishes(
        colormap, levels, region, binning, max_rate, compression, path, last, terminal, frames, save
    )
    raise typer.Exit(viewing.view(name, wishes, host, port))


@app.command()
def watch(
    name: Annotated[str, typer.Argument(help="A property or a stream, as 'smu.ch1.voltage'.")],
    every: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Look so often (s), for what changes by itself; of a stream: no oftener."
        ),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw a curve instead of printing lines.")] = False,
    last: Annotated[float, typer.Option(min=0.001, help="Seconds that the curve shows.")] = 600.0,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="End after so many values.")
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", "-t", help="Draw here, not in a window.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Print each change of a property, or each value of a stream: time, value, unit."""
    from pyrolab.cli import viewing

    wishes = viewing.Wishes(last_s=last, in_terminal=terminal, frames=count)
    raise typer.Exit(viewing.watch(name, wishes, every, plot, host, port))


@app.command()
def record(
    name: Annotated[
        str, typer.Argument(help="A stream, as 'microscope.frames'; a service will do if it has only one.")
    ],
    to: Annotated[Path, typer.Option(help="The file to write: .h5, .zarr or .tiff.")],
    frames: Annotated[int | None, typer.Option("--frames", "-n", min=1, help="End after so many.")] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", "-s", min=0.001, help="End after so long.")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="'lossless': the source waits if need be; 'queue': frames are dropped.")
    ] = "lossless",
    region: Annotated[
        str | None, typer.Option(help="Only these rows and columns, as '100:200,50:80'.")
    ] = None,
    binning: Annotated[int, typer.Option(min=1, help="Means of so many × so many pixels.")] = 1,
    every: Annotated[int, typer.Option(min=1, help="Only each so many-th frame.")] = 1,
    max_rate: Annotated[
        float | None, typer.Option(min=0.001, help="Frames per second at most; the rest is left out.")
    ] = None,
    compression: Annotated[
        str | None, typer.Option(help="What the format's library offers, as 'gzip'; else none.")
    ] = None,
    chunk_frames: Annotated[
        int | None, typer.Option(min=1, help="How many frames are stored together.")
    ] = None,
    flush: Annotated[
        float, typer.Option(min=0.01, help="Seconds after which frames are safe in the file.")
    ] = 1.0,
    no_settings: Annotated[
        bool, typer.Option("--no-settings", help="Leave out the properties of the service.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Record a stream to a file, all frames of it, until Ctrl-C or as many as were asked for."""
    from pyrolab.cli import recording

    wishes = recording.Wishes(
        frames, seconds, policy, region, binning, every, max_rate,
        compression, chunk_frames, flush, not no_settings, overwrite,
    )  # fmt: skip
    raise typer.Exit(recording.record(name, to, wishes, host, port))


@app.command()
def broker(
    host: Annotated[str, typer.Option(help="Where to listen; 'public' means every network.")] = "localhost",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 9090,
    max_clients: Annotated[int, typer.Option(min=1, help="Connected clients at most.")] = 200,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen on a network although nobody's identity is checked.")
    ] = False,
    storage: Annotated[
        str, typer.Option(help="Where names and reservations are kept: 'sql', 'sql:FILE' or 'memory'.")
    ] = "sql",
) -> None:
    """Run a broker here until Ctrl-C, without a configuration."""
    from pyrolab.cli import brokers

    raise typer.Exit(brokers.serve(host, port, max_clients, insecure, storage))


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence, and the exit code is 1."""
    from pyrolab.errors import PyroError
    from pyrolab.link.finding import ask_user_config

    ask_user_config(lambda: config.user_nameserver())
    try:
        app()
    except (PyroError, OSError) as error:
        print(f"pyrolab: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
