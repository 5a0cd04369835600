"""A Slurm cluster of several nodes on this machine, for as long as a test wants it."""

import contextlib
import getpass
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "setpriv")
DEADLINE = 300.0  # seconds, for anything: a loaded machine is no failure
# Daemons lie where only root looks for them.
SEARCHED = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
# hnclip meets at the name of the first node: these are addresses that this machine has.
NODE = "127.0.1.{}"
CONFIG = """
ClusterName=hnclip
SlurmctldHost=localhost
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=2
ReturnToService=2
SlurmdTimeout=20
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE OverSubscribe=EXCLUSIVE
PartitionName=urgent Nodes=ALL PriorityTier=2
"""
NODE_CONFIG = "NodeName={node} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=64000 Gres=gpu:2\n"
GPUS = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"  # that nobody uses


def missing() -> str:
    """What keeps a cluster from starting here; empty where nothing does."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=SEARCHED)]
    return f"{', '.join(absent)} absent: apt-get install slurm-wlm munge" if absent else ""


@contextlib.contextmanager
def cluster(num_nodes: int) -> Iterator["Cluster"]:
    """A cluster whose nodes are idle; at the end all that ran in it is killed."""
    # A short path: that of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        found = Cluster(Path(folder), num_nodes)
        try:
            found.start()
            yield found
        finally:
            found.kill()


class Cluster:
    """A cluster in a folder; `cluster` starts and ends it."""

    def __init__(self, folder: Path, num_nodes: int) -> None:
        self.folder = folder
        self.nodes = [NODE.format(number + 1) for number in range(num_nodes)]
        self.environment = os.environ | {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": SEARCHED}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start all daemons, and wait until every node is idle."""
        port, *ports = _free_ports(1 + len(self.nodes))
        nodes = "".join(
            NODE_CONFIG.format(node=node, port=port)
            for node, port in zip(self.nodes, ports, strict=True)
        )
        config = CONFIG.format(port=port, folder=self.folder, user=getpass.getuser())
        (self.folder / "slurm.conf").write_text(nodes + config)
        (self.folder / "gres.conf").write_text(GPUS)
        key, munge = self.folder / "munge.key", self.folder / "munge.socket"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        files = {"key-file": key, "socket": munge} | {
            f"{name}-file": self.folder / f"munge.{name}" for name in ("pid", "log", "seed")
        }
        # --force: the folder is this user's alone.
        self._start(
            "munged", "-F", "--force", *(f"--{name}={file}" for name, file in files.items())
        )
        self.wait_for(munge.exists)
        self._start("slurmctld", "-D")
        for node in self.nodes:
            self.start_node(node)
        idle = ["idle"] * len(self.nodes)
        self.wait_for(
            lambda: self.call("sinfo", "-hNp", "all", "-o", "%T", check=False).split() == idle
        )

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-D", "-N", node, SLURMD_NODENAME=node)

    def call(self, *command: str, check: bool = True, **variables: str) -> str:
        """What a command prints; it is an error where it fails."""
        done = subprocess.run(
            command, env=self.environment | variables, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 or not check, (command, done.stderr)
        return done.stdout

    def wait_for(self, is_so: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not is_so():
            assert time.monotonic() < end, self.said()
            time.sleep(0.3)

    def said(self) -> str:
        """The end of what the controller and each job (in NAME.out) say, and the queue."""
        files = [self.folder / "slurmctld.log", *self.folder.glob("*.out")]
        ends = (f"{file.name}: {file.read_text()[-2000:]}" for file in files)
        return "\n".join([*ends, self.call("squeue", check=False)])

    def kill(self, node: str = "") -> None:
        """Kill a node, its daemon and all that runs there; without a name, all of the cluster."""
        marks = [f"SLURM_CONF={self.folder}/slurm.conf"]
        if node:
            marks.append(f"SLURMD_NODENAME={node}")
        while found := _of(marks):
            # All at once: who sees a child die would still say so to the controller.
            for number, pid in itertools.product((signal.SIGSTOP, signal.SIGKILL), found):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            for daemon in self._daemons:
                daemon.poll()

    def _start(self, program: str, *args: str, **variables: str) -> None:
        name = "-".join([program, *variables.values()])
        with open(self.folder / f"{name}.log", "ab") as out:
            daemon = subprocess.Popen(
                # Whatever ends this process ends it, too.
                ["setpriv", "--pdeathsig", "KILL", program, *args],
                env=self.environment | variables, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        self._daemons.append(daemon)


def _of(marks: list[str]) -> list[int]:
    """The processes that began with these variables in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is of another user
            if {*marks} <= {
                *(folder / "environ").read_bytes().decode(errors="replace").split("\0")
            }:
                found.append(int(folder.name))
    return found


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("", 0))
        return [probe.getsockname()[1] for probe in probes]
