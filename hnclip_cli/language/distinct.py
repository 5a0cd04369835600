"""A tagger that embeds each different word of a batch once, not each time it occurs.

What spaCy's models make of a word before they look at its neighbors depends on its letters alone,
takes a third of their time, and most words of captions are "a", "on", "man" and their like. The
vectors stay the same to the bit: a row of a matrix product of blis, which spaCy uses, does not
depend on the rows beside it.
"""

from typing import Any

_EMBEDDING = ["extract_features", "list2ragged", "with_array", "with_array", "ragged2list"]


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
