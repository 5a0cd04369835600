"""One of each: a kind of negative, an objective, a benchmark with its metric, a generator."""

from hnclip_cli.benchmarks import Benchmark, Metric
from hnclip_cli.language.caption import TAGS
from hnclip_cli.negatives.generators.registry import Generator
from hnclip_cli.negatives.kinds.registry import Kind


def swap_pet(caption):  # yields the edits of one negative after the other
    for word in caption.words:
        if other := {"cat": "dog", "dog": "cat"}.get(word.text):
            yield [(word.start, word.end, other)]


def squared_gap(view):  # a term: mean max(0, 1 − s·A·P + s·A·N)² over negatives
    from hnclip_cli.training.objectives.rows import masked_mean

    return masked_mean((1 - view.gaps).clamp(min=0) ** 2, view.negatives.mask, view.ranks)


def read_pets(files):  # a record for each line of pets.jsonl
    for item in files.jsonl_items(files.first("pets.jsonl")):
        negative = {"caption": item.text("false"), "kind": "pet"}
        image = item.image_path(item.text("image"))
        yield item.record(image=image, caption=item.text("true"), negatives=[negative])


class Denier:
    def __init__(self, choosing):
        self.kind = choosing.kinds[0]

    def negatives(self, records):
        edit = {"kind": self.kind, "edits": [[0, 0, "no "]]}
        return [[{"caption": f"no {record.caption}", **edit}] for record in records]

    def summary(self):
        return ["all is denied"]


SWAP_PET = Kind(swap_pet, TAGS, "this example")
SQUARED_GAP = {"contrastive": 1, squared_gap: 0.1}
PETS = Benchmark(read_pets, (Metric("accuracy of pets"),))
DENY = Generator(Denier)
