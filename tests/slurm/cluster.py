"""A real Slurm on this machine for tests: munge, a controller and node daemons, all below one folder.

Needs Debian's packages slurm-wlm and munge (or the same programs from elsewhere), no configuration and no services. To
look around by hand:

    python tests/slurm/cluster.py FOLDER        # prints what to export, and runs until Ctrl-C or SIGTERM
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
START_SECONDS = 30.0
LOST_SECONDS = 10
"""After so long without a word from its daemon a node counts as lost."""
CPUS = 2

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its old credential has expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=6
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,bf_interval=1,default_queue_depth=1000
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
SlurmdTimeout={lost}
SlurmctldTimeout=60
KillWait=30
MinJobAge=300
{nodes}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE State=UP
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF State=UP
"""


class CannotStart(Exception):
    """There is no Slurm here, or it does not come up; the message says why."""


class Cluster:
    """A running cluster.

    Attributes:
        folder: configuration, logs and state.
        names: of the nodes.
    """

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder.resolve()
        self.names = [f"node{number}" for number in range(1, nodes + 1)]
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands need to find this cluster."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self) -> None:
        """Start all daemons, and wait until every node takes jobs.

        Raises:
            CannotStart: A program is missing, or a daemon does not come up.
        """
        missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
        if missing:
            raise CannotStart(f"{', '.join(missing)} not found; on Debian: apt-get install slurm-wlm munge")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munge refuses sockets that others cannot reach
        (self.folder / "state").mkdir(exist_ok=True)
        self._write_config()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in ("pid", "log", "seed")]
        key_and_socket = [f"--key-file={key}", f"--socket={self.folder}/munge.socket"]
        self._start("munged", *key_and_socket, *files, "--foreground", "--force")
        self._wait_for("munged", lambda: (self.folder / "munge.socket").exists())
        self._start("slurmctld", "-D", "-i")
        for name in self.names:
            self.start_node(name)
        self._wait_for("the nodes", lambda: self.node_states() == dict.fromkeys(self.names, "IDLE"))

    def start_node(self, name: str) -> None:
        """Start the daemon of a node, which may have been killed."""
        (self.folder / f"spool-{name}").mkdir(exist_ok=True)
        self._start("slurmd", "-D", "-N", name, label=name)

    def kill_node(self, name: str, *, with_jobs: bool) -> None:
        """Kill the daemon of a node.

        Args:
            name: of the node.
            with_jobs: kill its jobs' processes too, as a lost machine does; else they live on, unseen by Slurm.
        """
        numbers = self.command("squeue", "--noheader", f"--nodelist={name}", "--states=RUNNING", "--format=%A").split()
        self._daemons[name].kill()
        self._daemons.pop(name).wait()
        steps = tuple(f"slurmstepd: [{number}." for number in numbers)
        for step in psutil.process_iter() if with_jobs else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                if " ".join(step.cmdline()).startswith(steps):
                    for process in [step, *step.children(recursive=True)]:
                        process.kill()

    def node_states(self) -> dict[str, str]:
        """Name of each node -> its state, such as IDLE, ALLOCATED or DOWN."""
        lines = self.command("sinfo", "--noheader", "--Node", "--partition=low", "--format=%N %T").splitlines()
        return {name: state.rstrip("*").upper() for name, state in (line.split() for line in lines)}

    def command(self, *arguments: str) -> str:
        """Run a command of Slurm's and return what it prints; empty where it fails."""
        done = subprocess.run(arguments, env=self._variables(), capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else ""

    def stop(self) -> None:
        """Cancel what runs, and stop all daemons."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.command("scancel", f"--user={_user()}")
            deadline = time.monotonic() + 10
            while self.command("squeue", "--noheader") and time.monotonic() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in reversed(self._daemons.values()):
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _variables(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "PATH": _path()}

    def _start(self, *command: str, label: str = "") -> None:
        name = label or command[0]
        with (self.folder / f"{name}.messages").open("ab") as messages:
            # A session of its own: Ctrl-C in the terminal of the tests is not for the daemons.
            self._daemons[name] = subprocess.Popen(
                command, env=self._variables(), stdout=messages, stderr=messages, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            dead = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = sorted(self.folder.glob("*.messages")) + sorted(self.folder.glob("*.log"))
                last = [line for log in logs for line in log.read_text(errors="replace").splitlines()[-3:]]
                raise CannotStart(f"{', '.join(dead) or what} did not come up: " + " | ".join(last))
            time.sleep(0.1)

    def _write_config(self) -> None:
        ports = _free_ports(1 + len(self.names))
        host = socket.gethostname().partition(".")[0]
        nodes = [
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} State=UNKNOWN"
            for name, port in zip(self.names, ports[1:], strict=True)
        ]
        values = {"host": host, "controller_port": ports[0], "user": _user(), "folder": self.folder}
        text = CONFIG.format(**values, nodes="\n".join(nodes), lost=LOST_SECONDS)
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "cgroup.conf").write_text("")


@contextmanager
def running(folder: Path, nodes: int = 2) -> Iterator[Cluster]:
    """A cluster for the time of a `with` block.

    Raises:
        CannotStart: There is none to be had; the message says why.
    """
    cluster = Cluster(folder, nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # a shell's background processes ignore the first
    with running(Path(sys.argv[1])) as here:
        print(*(f"export {name}={value}" for name, value in here.environment.items()), sep="\n", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
