"""The batch scripts of examples/slurm/ on a real Slurm of several nodes, all on this machine."""

import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from hnclip_cli.cli import cli
from hnclip_cli.plugins import VARIABLE
from tests import slurm
from tests.conftest import ROOT, parse_lines, to_lines
from tests.examples.held import HELD_STEP
from tests.factories import make_records

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(slurm.missing()), reason=f"no Slurm: {slurm.missing()}"),
]
SCRIPTS = ROOT / "examples" / "slurm"
STEPS = HELD_STEP + 2
TRAIN = [
    "--model", "hnclip-tiny-vit", "--from-scratch", "--device", "cpu", "--steps", str(STEPS),
    "--batch-size", "5", "--log-every", "1", "--checkpoint-every", "2", "--workers", "0",
    "--plugin", str(Path(__file__).with_name("held.py")), "--objective", "held",
]  # fmt: skip
# Captions one at a time: in batches the last digit depends on what else is in them.
EMBED = ["--device", "cpu", "--workers", "0", "--batch-size", "1"]
# A part that is never made, as long as the task has not gone back to the queue.
HANGS = """#!/bin/sh
[ "$SLURM_RESTART_COUNT" ] || case "$*" in *--shard\\ [13]/4\\ *) exec sleep 900 ;; esac
exec hnclip "$@"
"""
STOPS = """#!/bin/sh
exit 75  # as one that a signal ends before its first step
"""
WEIGHTS = "open_clip_model.safetensors"


class Jobs:
    """The jobs of all tests, which run side by side, and the folder of their files."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.settings = {"PATH": f"{Path(sys.executable).parent}:{slurm.SEARCHED}"}
        self.ids = {}
        self.hurried = set()

    def submit(self, name, *args, **variables):
        """Send off a job: `sbatch` with these arguments."""
        command = ["sbatch", "--parsable", f"--job-name={name}", "--cpus-per-task=2"]
        command.append(f"--output={self.cluster.folder}/%x-%j.out")
        said = self.cluster.call(*command, *map(str, args), **self.settings | variables)
        self.ids[name] = said.strip()

    def train(self, name, *flags, **variables):
        self.submit(
            name, "--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=1", *flags,
            SCRIPTS / "train.sbatch", self.folder / "whole.jsonl", self.folder / name, *TRAIN,
            **{"HOLD": "1"} | variables,
        )  # fmt: skip

    def pipeline(self):
        """Send off all stages, from captions.jsonl to the folder out."""
        said = self.cluster.call(
            "bash", str(SCRIPTS / "submit.sh"), str(self.folder / "captions.jsonl"),
            f"{self.folder}/out", *TRAIN, NEGATIVES="", EMBED=" ".join(EMBED), SHARDS="2",
            CHUNKS="1", NODES="2", GPUS="1", CPUS="2", **self.settings,
        )  # fmt: skip
        self.ids |= {Path(words[0]).name: words[-1] for words in map(str.split, said.splitlines())}

    def show(self, job, field):
        """A field of a job, or of each task of it, as `squeue -O` names it."""
        said = self.cluster.call("squeue", "-h", "-r", "-t", "all", "-j", job, "-O", f"{field}:99")
        return said.split()

    def wait_for(self, *names):
        """Wait until jobs have ended well."""
        for name in names:
            self.cluster.wait_for(lambda job=self.ids[name]: self._is_done(job))

    def wait_for_failure(self, name):
        """Wait until a job has failed; what it said."""

        def has_failed():
            self._hurry()
            return self.show(self.ids[name], "State") == ["FAILED"]

        self.cluster.wait_for(has_failed)
        return (self.cluster.folder / f"{name}-{self.ids[name]}.out").read_text()

    def _is_done(self, job):
        self._hurry()
        states = {*self.show(job, "State")}
        bad = states & {"FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "OUT_OF_MEMORY"}
        assert not bad, (job, bad, self.cluster.said())
        return states == {"COMPLETED"}

    def _hurry(self):
        """What is back in the queue would wait for two minutes, and then have as short a time.

        At once is too soon: a node refuses what it has just been told to end.
        """
        queue = self.cluster.call("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i %r")
        for job, reason in map(str.split, queue.splitlines()):
            if reason == "BeginTime" and job not in self.hurried:
                self.hurried.add(job)
                soon = ["StartTime=now+5", "TimeLimit=60"]
                self.cluster.call("scontrol", "update", f"JobId={job}", *soon, check=False)

    def log(self, name):
        """The steps in the log of a run."""
        path = self.folder / f"{name}.log.jsonl"
        return [line["step"] for line in parse_lines(path.read_bytes())] if path.exists() else []

    def part(self, number):
        return self.folder / f"joined.jsonl.part-0000{number}-of-00004"

    def strike(self):
        """Let happen what does: a signal, a job that comes first, and nodes that die."""
        cluster = self.cluster
        held = [*range(1, HELD_STEP)]
        cluster.wait_for(lambda: self.log("stopped") == held)
        cluster.call("scancel", "--signal=USR1", self.ids["stopped"])
        cluster.wait_for(lambda: self.log("preempted") == held)
        nodes = self.show(self.ids["preempted"], "NodeList")
        self.submit("urgent", "--partition=urgent", "--nodes=2", "-w", *nodes, "--wrap=true")
        cluster.wait_for(lambda: self.log("crashed") == held)
        (nodes,) = self.show(self.ids["crashed"], "NodeList")
        self.lost_node = cluster.call("scontrol", "show", "hostnames", nodes).split()[-1]
        cluster.kill(self.lost_node)
        parts = [self.part(number) for number in (0, 2)]
        cluster.wait_for(lambda: all(part.exists() for part in parts))
        (node,) = self.show(f"{self.ids['array']}_1", "NodeList")
        cluster.kill(node)
        cluster.start_node(node)
        self.made = {part: part.stat().st_mtime_ns for part in parts}


def run_here(*args):
    done = CliRunner(env={VARIABLE: ""}).invoke(cli, [str(arg) for arg in args])
    assert done.exit_code == 0, done.stderr


@pytest.fixture(scope="module")
def jobs(tmp_path_factory, parser):
    folder = tmp_path_factory.mktemp("shared")
    fields = ("id", "image", "caption")
    records = [{name: record[name] for name in fields} for record in make_records(folder, 20)]
    (folder / "captions.jsonl").write_bytes(to_lines(*records))
    run_here("negatives", folder / "captions.jsonl", "-o", folder / "whole.jsonl")
    for name, script in (("hangs", HANGS), ("stops", STOPS)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    with slurm.cluster(num_nodes=18) as cluster:
        jobs = Jobs(cluster, folder)
        jobs.pipeline()
        jobs.train("stopped", "--time=60")
        jobs.train("preempted", "--time=60")
        jobs.train("crashed", "--time=60")
        jobs.train("overdue", "--time=1", "--signal=USR1@10")
        files = [folder / "captions.jsonl", folder / "joined.jsonl"]
        jobs.submit(
            "array", "--array=0-1", "--time=2", "--signal=B:USR1@10", SCRIPTS / "array.sbatch",
            *files, "negatives", CHUNKS="2", HNCLIP=str(folder / "hangs"),
        )  # fmt: skip
        jobs.cluster.call("scontrol", "update", f"JobId={jobs.ids['array']}_1", "TimeLimit=60")
        after = f"--dependency=afterok:{jobs.ids['array']}"
        jobs.submit("join", after, "--time=60", SCRIPTS / "join.sbatch", files[1], 4)
        jobs.train("stuck", HNCLIP=str(folder / "stops"), RESTARTS="1")
        jobs.strike()
        yield jobs


@pytest.fixture(scope="module")
def out(jobs):
    """The folder that submit.sh has filled, once all of its jobs have ended."""
    jobs.wait_for("images.npy", "captions.npy")
    return jobs.folder / "out"


@pytest.fixture
def one_thread():
    """As the jobs, which computes the same digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check_run(jobs, out, name):
    """A run that went back to the queue has the weights of one that did not."""
    jobs.wait_for(name)
    assert jobs.show(jobs.ids[name], "RestartCnt") != ["0"]
    assert (jobs.folder / name / WEIGHTS).read_bytes() == (out / "run" / WEIGHTS).read_bytes()


def test_shards_of_negatives_joined_are_the_whole(jobs, out):
    assert (out / "negatives.jsonl").read_bytes() == (jobs.folder / "whole.jsonl").read_bytes()


def test_two_nodes_train_as_one_process(jobs, out, one_thread):
    run_here("train", *TRAIN, "-o", jobs.folder / "alone", jobs.folder / "whole.jsonl")
    alone, together = (load_file(run / WEIGHTS) for run in (jobs.folder / "alone", out / "run"))
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("of", ["image", "caption"])
def test_shards_of_embeddings_joined_are_the_whole(jobs, out, one_thread, of):
    whole = jobs.folder / f"{of}s.npy"
    records = jobs.folder / "whole.jsonl"
    run_here("embed", "--of", of, "--model", out / "run", *EMBED, records, "-o", whole)
    assert (out / whole.name).read_bytes() == whole.read_bytes()


def test_a_run_that_is_asked_to_stop_goes_on_from_the_queue(jobs, out):
    check_run(jobs, out, "stopped")
    assert jobs.log("stopped") == [*range(1, STEPS + 1)]


def test_a_run_that_makes_room_for_an_urgent_job_goes_on_after_it(jobs, out):
    jobs.wait_for("urgent")
    check_run(jobs, out, "preempted")
    assert jobs.log("preempted") == [*range(1, STEPS + 1)]


def test_a_run_beyond_its_time_limit_goes_on_from_the_queue(jobs, out):
    check_run(jobs, out, "overdue")
    assert jobs.log("overdue") == [*range(1, STEPS + 1)]


def test_a_run_that_makes_no_step_is_given_up(jobs):
    said = jobs.wait_for_failure("stuck")
    assert said.endswith("no step was made in 2 runs; try a longer --time\n")
    assert jobs.show(jobs.ids["stuck"], "RestartCnt") == ["1"]


def test_a_run_whose_node_died_goes_on_from_its_checkpoint_on_other_nodes(jobs, out):
    check_run(jobs, out, "crashed")
    assert {*jobs.log("crashed")} == {*range(1, STEPS + 1)}  # those after a checkpoint twice
    assert jobs.cluster.call("sinfo", "-hn", jobs.lost_node, "-o", "%T").startswith("down")


def test_tasks_of_an_array_lose_neither_by_a_dead_node_nor_by_the_time_limit(jobs):
    jobs.wait_for("array", "join")
    assert (jobs.folder / "joined.jsonl").read_bytes() == (jobs.folder / "whole.jsonl").read_bytes()
    assert all(part.stat().st_mtime_ns == time for part, time in jobs.made.items())
    assert "0" not in jobs.show(jobs.ids["array"], "RestartCnt")
