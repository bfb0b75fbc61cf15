"""What commands of this environment are started with."""

from __future__ import annotations

import os
import sysconfig


def command_variables() -> dict[str, str]:
    """Variables by which a command finds the programs of this environment first, and DVC reports to nobody."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "DVC_NO_ANALYTICS": "1"}
