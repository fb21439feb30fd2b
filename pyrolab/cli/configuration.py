"""`pyrolab config`: check, show, and the user's own configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyrolab.config import PyroLabConfiguration

config_app = typer.Typer(name="config", help="Check, show and keep configurations.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A configuration (YAML).")]
MaybeFile = Annotated[Path | None, typer.Argument(help="A configuration (YAML); without it, your own.")]


def chosen(config: Path | None) -> Path:
    """The file that was named, else the user's own; says what to do if there is neither."""
    from pyrolab.config.places import user_config_file

    path = config or user_config_file()
    if not path.exists():
        missing = f"there is no file {config}" if config else "you have no configuration of your own yet"
        advice = "name one: `pyrolab up config.yaml`, or make one yours: `pyrolab config update config.yaml`"
        raise FileNotFoundError(f"{missing}; {advice}")
    return path


def _load(path: Path) -> PyroLabConfiguration:
    from pyrolab.config import PyroLabConfiguration

    return PyroLabConfiguration.from_file(path)


@config_app.command()
def check(config: MaybeFile = None) -> None:
    """Check a configuration, and say what in it will have no effect."""
    from pyrolab.config.notes import notes

    path = chosen(config)
    loaded = _load(path)
    for note in notes(loaded):
        print(f"note: {note}")
    counts = [(len(loaded.nameservers), "name server"), (len(loaded.daemons), "daemon")]
    counts.append((len(loaded.services), "service"))
    print(f"{path} is correct: {', '.join(_counted(number, what) for number, what in counts)}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


@config_app.command()
def show(config: MaybeFile = None) -> None:
    """Show a configuration as PyroLab understands it, defaults included."""
    print(_load(chosen(config)).yaml(), end="")


@config_app.command()
def update(config: File) -> None:
    """Make a configuration your own: the one that `pyrolab up` starts."""
    from pyrolab.config import update_config

    update_config(config)
    print(f"PyroLab's own copy of {config} is in place: `pyrolab up` starts it")


@config_app.command()
def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False) -> None:
    """Forget your own configuration."""
    from pyrolab.config import reset_config
    from pyrolab.config.places import user_config_file

    if not user_config_file().exists():
        print("you have no configuration of your own")
        return
    if not yes:
        typer.confirm(f"Delete {user_config_file()}?", abort=True)
    reset_config()
    print("your configuration is deleted")


@config_app.command()
def export(config: File) -> None:
    """Write your own configuration to a file."""
    from pyrolab.config import export_config

    export_config(_load(chosen(None)), config)
    print(f"your configuration is in {config}")
