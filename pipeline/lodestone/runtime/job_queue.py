"""A Dask cluster whose workers are jobs of Slurm, LSF or PBS."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lodestone.errors import LodestoneError
from lodestone.runtime.kernels import PINNED, REPRODUCIBLE_VARIABLE

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster

_CLASSES = {"slurm": "SLURMCluster", "lsf": "LSFCluster", "pbs": "PBSCluster"}
_LOOPBACK = "127.0.0.1:0"
_REMEDY = "correct the file; docs/how-to/cluster.yaml is an example"
_Text = Annotated[str, Field(min_length=1)]


class JobQueue(BaseModel):
    """What the file of ``$LODESTONE_CLUSTER`` says: which jobs to start. Every core of one works on its own task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["slurm", "lsf", "pbs"]
    interface: (
        _Text  # network by which scheduler and workers reach each other, such as ib0; the scheduler listens there
    )
    jobs: int = Field(gt=0)
    cores: int = Field(gt=0)  # of a job
    memory: _Text  # of a job, such as 64GB
    walltime: Annotated[str, Field(pattern=r"^\d+(:\d\d){1,2}$")]  # HH:MM:SS; HH:MM for LSF
    queue: _Text | None = None
    account: _Text | None = None  # called project by LSF
    python: _Text | None = None  # command that starts Python in a job; by default the one that runs now
    prologue: tuple[str, ...] = ()  # lines of shell before the workers start, such as `module load`
    directives: tuple[str, ...] = ()  # further options of the queue, such as `--exclusive`
    log_directory: _Text | None = None
    tls: bool = False  # with the certificates that Dask's own configuration names

    def cluster_class(self) -> Any:
        """The kind of cluster, as dask-jobqueue has it."""
        import dask_jobqueue

        return getattr(dask_jobqueue, _CLASSES[self.kind])

    def cluster(self) -> JobQueueCluster:
        """The cluster, without jobs.

        Raises:
            LodestoneError: If the network or the certificates are missing.
        """
        from distributed.utils import get_ip_interface

        try:
            get_ip_interface(self.interface)
        except ValueError as error:
            raise LodestoneError(f"interface: {error}", "name one that `ip address` lists") from error
        cluster: JobQueueCluster = self.cluster_class()(**self._options())
        return cluster

    def _options(self) -> dict[str, Any]:
        options = {
            "cores": self.cores,
            "processes": self.cores,
            "memory": self.memory,
            "walltime": self.walltime,
            "queue": self.queue,
            "project" if self.kind == "lsf" else "account": self.account,
            "python": self.python,
            "job_script_prologue": [*self.prologue, *_exports()],
            "job_extra_directives": list(self.directives),
            "log_directory": self.log_directory,
            "interface": self.interface,
            # Scheduler and workers also serve pages about themselves, which by default the whole network may read.
            "scheduler_options": {"dashboard": False, "dashboard_address": _LOOPBACK},
            "worker_extra_args": ["--no-dashboard", "--dashboard-address", _LOOPBACK],
        }
        return options | self._security()

    def _security(self) -> dict[str, Any]:
        if not self.tls:
            return {}
        from distributed.security import Security

        security = Security(require_encryption=True)
        for role in ("scheduler", "worker"):
            if security.get_listen_args(role)["ssl_context"] is None:
                raise LodestoneError(
                    f"tls is true, but Dask's configuration names no certificate for the {role}",
                    "set distributed.comm.tls.ca-file, and cert and key below scheduler, worker and client",
                )
        return {"protocol": "tls://", "security": security}


def read_job_queue(path: Path) -> JobQueue:
    """Read and check a file that describes jobs.

    Raises:
        LodestoneError: Names the file, the key and what is wrong.
    """
    import yaml

    try:
        return JobQueue.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LodestoneError(f"LODESTONE_CLUSTER: {path} cannot be read: {error}", _REMEDY) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'file'}: {x['msg']}" for x in error.errors()[:5])
        raise LodestoneError(f"LODESTONE_CLUSTER: {path}: {faults}", _REMEDY) from error


@cache  # jobs wait in queues: one cluster serves a process to its end, when Dask closes it
def running_cluster(path: Path) -> JobQueueCluster:
    """The cluster of a file, with its jobs submitted; one that ends is replaced.

    Raises:
        LodestoneError: If the file is wrong, or the cluster cannot be started.
    """
    settings = read_job_queue(path)
    _require(settings.cluster_class().job_cls.submit_command)
    try:
        with ExitStack() as opened:
            cluster = opened.enter_context(settings.cluster())
            cluster.sync(_submit, cluster, settings.jobs)
            cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.jobs)
            opened.pop_all()
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise LodestoneError(f"{path}: jobs cannot be started: {error}", _REMEDY) from error
    return cluster


async def _submit(cluster: JobQueueCluster, jobs: int) -> None:
    """What ``cluster.scale`` does, which leaves the reason why a queue refuses a job to a log."""
    from distributed import Status

    while len(cluster.worker_spec) < jobs:
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        await cluster._correct_state()
    except Exception:
        for job in cluster.workers.values():
            job.status = Status.failed  # else Dask stumbles over it when it closes the cluster
        raise


def _require(command: str) -> None:
    if shutil.which(command) is None:
        raise LodestoneError(
            f"the command {command} is not found", "run where jobs can be submitted, or correct `kind` in the file"
        )


def _exports() -> list[str]:
    """Lines that pin the kernels of numpy and torch in a job as they are pinned here."""
    names = (REPRODUCIBLE_VARIABLE, *PINNED)
    return [f"export {name}={os.environ[name]!r}" for name in names if name in os.environ]
