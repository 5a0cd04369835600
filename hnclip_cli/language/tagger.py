"""spaCy's tagger in half the time: each different word is embedded once, numpy multiplies.

What spaCy's models make of a word before they look at its neighbors depends on its letters alone,
takes a third of their time, and most words of captions are "a", "on", "man" and their like. And
numpy's BLAS (OpenBLAS) multiplies matrices two to three times as fast as blis, which spaCy uses.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_EMBEDDING = ["extract_features", "list2ragged", "with_array", "with_array", "ragged2list"]

# With fewer rows OpenBLAS takes other ways, which round otherwise.
_MIN_ROWS = 128


def multiply_with_numpy(components: Iterable[Any]) -> bool:
    """Let the layers of loaded spaCy components use numpy's BLAS instead of blis; whether they do.

    They do where a row of a product does not depend on the rows beside it, to the bit. OpenBLAS
    keeps to that with AVX-512, not with AVX2; tags would depend on the batch there.
    """
    from thinc.api import NumpyOps

    class Ops(NumpyOps):  # type: ignore[misc]
        def gemm(self, x: Any, y: Any, **how: Any) -> Any:
            missing = _MIN_ROWS - len(x)
            if missing <= 0 or how.get("trans1") or how.get("out") is not None:
                return super().gemm(x, y, **how)
            rows = self.xp.concatenate([x, self.xp.zeros((missing, x.shape[1]), x.dtype)])
            return super().gemm(rows, y, **how)[: len(x)]

    ops = Ops(use_blis=False)
    if not _rows_are_independent(ops.gemm):
        return False
    for component in components:
        for layer in component.model.walk():
            if type(layer.ops) is NumpyOps:  # Apple has ops of its own
                layer.ops = ops
    return True


def _rows_are_independent(multiply: Callable[..., "np.ndarray"]) -> bool:
    """Whether the rows of a product are the same to the bit beside any others."""
    import numpy as np  # which help does not wait for

    random = np.random.default_rng(0)
    for width, size in ((96, 50), (288, 288)):  # as in spaCy's small models
        rows = random.standard_normal((400, width)).astype("f4")
        weights = random.standard_normal((size, width)).astype("f4")
        whole = multiply(rows, weights, trans2=True)
        for first, count in ((0, 1), (1, 5), (3, 130), (7, 201), (13, 300)):
            part = np.ascontiguousarray(rows[first : first + count])
            if not np.array_equal(
                multiply(part, weights, trans2=True), whole[first : first + count]
            ):
                return False
    return True


def one_thread() -> Callable[[], AbstractContextManager[Any]]:
    """What makes numpy multiply in one thread for a while: workers are processes."""
    from threadpoolctl import ThreadpoolController

    return partial(ThreadpoolController().limit, limits=1, user_api="blas")


def embed_distinct_words(tok2vec: Any) -> bool:
    """Change a loaded tok2vec component of spaCy in this way; whether that was done.

    One whose model is not of hash embeddings, mixed by one layer (``spacy.MultiHashEmbed`` without
    vectors), stays as it is.
    """
    from thinc.api import Model, chain, with_array

    embedding = tok2vec.model.layers[0] if tok2vec.model.layers else tok2vec.model
    if [layer.name.partition("(")[0] for layer in embedding.layers] != _EMBEDDING:
        return False
    hashing, mixing = (layer.layers[0] for layer in embedding.layers[2:4])
    distinct: Model[Any, Any] = Model("distinct", _forward, layers=[chain(hashing, mixing)])
    embedding.layers[2:4] = [with_array(distinct)]
    return True


def _forward(model: Any, features: Any, is_train: bool) -> tuple[Any, Any]:
    """Vectors (N, width) of words whose features (N, F) say which letters they have."""
    if is_train:
        raise ValueError("a model that embeds distinct words only predicts")
    rows = features.view(f"V{features.itemsize * features.shape[1]}").ravel().tolist()
    firsts: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        firsts.setdefault(row, index)
    numbers = {row: number for number, row in enumerate(firsts)}
    vectors, _ = model.layers[0](features[list(firsts.values())], is_train)
    return vectors[[numbers[row] for row in rows]], None
