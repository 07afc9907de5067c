"""Real clusters of nodes on this machine: Ray, Dask, and Dask on Slurm.

Each is a context with the words that make the program use it, ``lose(pid)``, which ends
the node of a process at once, and ``add(variables)``, which adds a node.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dask
import psutil
import yaml
from harness_plugins.executors.ray import QUIET

HAS_SLURM = all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch")))
TESTS = str(Path(__file__).parent)
NODES = 3
"""Two are lost, one after the other; Slurm has two, and its jobs are replaced."""


def variables(more):
    """What a node's processes have in their environment."""
    return os.environ | {"PYTHONPATH": TESTS, "OMP_NUM_THREADS": "1"} | more


def wait_until(condition, seconds=60.0):
    """Return what a condition returns, once that is true."""
    for _ in range(int(seconds / 0.05)):
        if found := condition():
            return found
        time.sleep(0.05)
    raise TimeoutError


def end(process):
    """End a process and what it has started, at once."""
    with suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(process.pid).children(recursive=True)]
        process.kill()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


class RayCluster:
    """A head without work, and nodes of one CPU."""

    words = ("--executor", "ray")

    def __init__(self, more):
        os.environ.update(QUIET)  # as the plugin does before it imports Ray
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        head = {"num_cpus": 0, "include_dashboard": False}
        self.cluster.add_node(**head, env_vars=variables(more))
        self.more, self.nodes = more, []
        self.environment = {"RAY_ADDRESS": self.cluster.address}
        for _ in range(NODES):
            self.add()

    def add(self, more=()):
        made = variables(self.more | dict(more))
        self.nodes.append(self.cluster.add_node(num_cpus=1, env_vars=made))

    def lose(self, pid):
        raylet = psutil.Process(pid).ppid()
        (node,) = [node for node in self.nodes if self.raylet(node) == raylet]
        self.lose_node(node)

    def raylet(self, node):
        return node.all_processes["raylet"][0].process.pid

    def lose_node(self, node=None):
        lost = node or self.nodes[-1]
        self.nodes.remove(lost)
        self.cluster.remove_node(lost, allow_graceful=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cluster.shutdown()


class DaskCluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, more):
        self.more, self.workers = more, []
        self.file = Path(more["SLOW_LOG"]) / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0")
        wait_until(self.file.exists)
        address = wait_until(self.address)
        self.words = ("--executor", f"dask:address={address}")
        self.environment = {}
        for _ in range(NODES):
            self.add()

    def address(self):
        with suppress(ValueError):
            return json.loads(self.file.read_text())["address"]

    def start(self, what, *words, more=()):
        module = f"distributed.cli.dask_{what}"
        quiet = ("--scheduler-file", str(self.file), "--no-dashboard")
        return subprocess.Popen(
            [sys.executable, "-m", module, *quiet, *words],
            env=variables(self.more | dict(more)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add(self, more=()):
        words = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        self.workers.append(self.start("worker", *words, more=more))
        from distributed import Client

        with Client(self.address()) as client:
            client.wait_for_workers(len(self.workers), 60)

    def lose(self, pid):
        (worker,) = [worker for worker in self.workers if worker.pid == pid]
        self.lose_node(worker)

    def lose_node(self, worker=None):
        lost = worker or self.workers[-1]
        self.workers.remove(lost)
        end(lost)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in (*self.workers, self.scheduler):
            end(process)


CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
MpiDefault=none
ReturnToService=2
KillWait=2
SlurmdTimeout=10
{nodes}
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""

NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    "CPUs=1 RealMemory=4000 State=UNKNOWN"
)

JOBQUEUE = """
jobqueue:
  slurm:
    queue: main
    cores: 1
    processes: 1
    memory: 2GB
    walltime: "00:30:00"
    interface: lo
    log-directory: {folder}
    worker-extra-args: ["--no-nanny"]
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class SlurmCluster:
    """Slurm itself, with two nodes; workers are jobs that dask-jobqueue submits."""

    words = ("--executor", "dask:slurm", "--workers", "2")

    def __init__(self, more):
        self.folder = folder = Path(more["SLOW_LOG"]).resolve()
        self.daemons = []
        for name in ("munge", "state"):
            (folder / name).mkdir(mode=0o755)
        host = socket.gethostname().partition(".")[0]
        nodes = [
            NODE.format(name=name, host=host, port=free_port())
            for name in ("node1", "node2")
        ]
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                host=host, port=free_port(), folder=folder, nodes="\n".join(nodes)
            )
        )
        self.environment = {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PYTHONPATH": TESTS,
            **more,
        }
        self.start()

    def start(self):
        key, munge = self.folder / "munge.key", self.folder / "munge"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        places = {
            "key-file": key,
            "socket": munge / "socket",
            "pid-file": munge / "pid",
        }
        places |= {"log-file": munge / "log", "seed-file": munge / "seed"}
        named = [f"--{option}={path}" for option, path in places.items()]
        self.daemon("munged", "--foreground", "--force", *named)
        wait_until((munge / "socket").exists)
        self.daemon("slurmctld", "-D", "-c")
        for name in ("node1", "node2"):
            (self.folder / name).mkdir()
            self.daemon("slurmd", "-D", "-N", name)
        wait_until(lambda: self.ask("sinfo", "-h", "-t", "idle", "-o", "%D") == "2")

    def daemon(self, *words):
        started = subprocess.Popen(
            words,
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.daemons.append(started)

    def ask(self, *words):
        done = subprocess.run(
            words,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip()

    def lose(self, pid):
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        (job,) = [one for one in environ if one.startswith("SLURM_JOB_ID=")]
        self.ask("scancel", "--signal=KILL", "--full", job.partition("=")[2])

    def __enter__(self):
        import dask_jobqueue  # noqa: F401 - its defaults are set first

        self.before = copy.deepcopy(dask.config.config)
        described = yaml.safe_load(JOBQUEUE.format(folder=self.folder))
        dask.config.update(dask.config.config, described)
        return self

    def __exit__(self, *_):
        dask.config.config.clear()
        dask.config.config.update(self.before)
        self.ask("scancel", "--state=RUNNING")
        self.ask("scancel", "--state=PENDING")
        for process in reversed(self.daemons):
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            end(process)
