"""Who uses a port, in words."""

from __future__ import annotations

import psutil


def who_listens(port: int) -> str:
    """The program that listens at TCP `port` of this computer, or empty if that cannot be seen."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):  # macOS shows others' sockets to root only
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port:
            return _program(connection.pid)
    return ""


def _program(pid: int | None) -> str:
    if pid is None:
        return "a program of another user"
    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return f"process {pid}"
    shown = command if len(command) <= 80 else f"{command[:77]}..."
    return f"process {pid} ({shown})" if shown else f"process {pid}"
