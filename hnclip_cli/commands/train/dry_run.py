"""``train --dry-run``: what the run would cost, from its settings and the length of its records."""

from hnclip_cli import console
from hnclip_cli.errors import ExitCode
from hnclip_cli.models.cost import mean_tokens, measure_cost
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import format_record
from hnclip_cli.training.config import TrainConfig
from hnclip_cli.training.loop import count_steps
from hnclip_cli.training.plan import plan

NUM_MEASURED_TEXTS = 1000


def say_plan(config: TrainConfig, model: str, input_: str) -> ExitCode:
    """Print the plan. Of a file's records it is told how many there are, and how long.

    A pipe is left alone.
    """
    num_records = None
    texts: list[str] = []
    if input_ != "-":
        num_records = 0
        with console.open_input(input_) as stream:
            for record in RecordReader(stream, input_):
                num_records += 1
                if len(texts) < NUM_MEASURED_TEXTS:
                    texts += [record.caption, *(item.caption for item in record.negatives)]
    num_steps = None
    if config.epochs is None or num_records is not None:
        num_steps = count_steps(config, num_records or 0)
    tokens = mean_tokens(model, texts) if texts else None
    line = plan(config, measure_cost(model), num_steps=num_steps, tokens_per_text=tokens)
    with console.open_output("-") as out:
        out.write(format_record(line))
    return ExitCode.DONE
