"""How fast the generators are beside the lexicon, in one run, alternated.

python -m tests.bench.generators_speed CAPTIONS.jsonl --model DIR [--count N] [--rounds N]

The masked language model is the one in DIR. The endpoint is a server in this process that answers
every question after 50 ms, so that what is measured is the client: how near it comes to
``concurrency`` / 50 ms.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable

from hnclip_cli.negatives.choosing.choice import Choosing
from hnclip_cli.negatives.generators.registry import make_maker
from hnclip_cli.negatives.kinds.registry import DEFAULT_KINDS
from hnclip_cli.negatives.making import make_negatives
from hnclip_cli.streams.jsonl import RecordReader
from hnclip_cli.streams.records import Record
from hnclip_cli.streams.threads import chunked
from tests.bench.machine import describe
from tests.negatives.generators.server import ChatServer, good
from tests.negatives.makers import by_rules

KINDS = tuple(kind for kind in DEFAULT_KINDS if kind.startswith("replace-"))
DELAY = 0.05


def batched(make: Callable[[list[Record]], object], records: list[Record]) -> None:
    for piece in chunked(records, 64):
        make(piece)


def asked(server: ChatServer, concurrency: int, records: list[Record]) -> None:
    kinds = ["replace-noun", "replace-color"]
    how = {"generator": "http", "endpoint": server.url, "workers": concurrency}
    assert len(list(make_negatives(records, kinds, **how))) == len(records)


def slow(handler):
    time.sleep(DELAY)
    return good(handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captions")
    parser.add_argument("--model", required=True)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with open(options.captions, "rb") as stream:
        records = list(itertools.islice(RecordReader(stream), options.count))
    lexicon = by_rules(*KINDS)
    masked = make_maker("mlm", Choosing(KINDS), model=options.model, device="cpu")
    with ChatServer(slow) as server:
        ways: dict[str, Callable[[], None]] = {
            "lexicon": lambda: batched(lexicon.negatives, records),
            "mlm": lambda: batched(masked.negatives, records),
            "http_1": lambda: asked(server, 1, records[:32]),
            "http_8": lambda: asked(server, 8, records[:128]),
        }
        counts = {"lexicon": len(records), "mlm": len(records), "http_1": 32, "http_8": 128}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, run in ways.items():
                started = time.perf_counter()
                run()
                rates[name].append(counts[name] / (time.perf_counter() - started))
    medians = {name: round(statistics.median(found), 1) for name, found in rates.items()}
    print(
        json.dumps(
            {
                "captions_per_second": medians,
                "http_1_of_possible": round(medians["http_1"] * DELAY, 3),
                "http_8_of_possible": round(medians["http_8"] * DELAY / 8, 3),
                "model_weights": sum(p.numel() for p in masked._model._model.parameters()),
                "count": len(records),
                "rounds": options.rounds,
                "machine": describe(),
            }
        )
    )


if __name__ == "__main__":
    main()
