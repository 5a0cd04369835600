import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hnclip_cli.models.packed import distinct_prefixes

sequences = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=12)


@given(sequences, st.integers(0, 3))
def test_there_is_a_node_for_each_distinct_prefix_and_no_other(texts, padding):
    lengths = np.array([len(text) for text in texts])
    tokens = np.array([text + [padding] * (8 - len(text)) for text in texts])
    prefixes = distinct_prefixes(tokens, lengths)
    by_node = {}
    for row, text in enumerate(texts):
        for position in range(prefixes.nodes.shape[1]):
            node = prefixes.nodes[row, position]
            if position >= len(text):
                assert node == -1
            else:
                prefix = tuple(text[: position + 1])
                assert by_node.setdefault(node, prefix) == prefix
    distinct = {tuple(text[:end]) for text in texts for end in range(1, len(text) + 1)}
    assert set(by_node.values()) == distinct
    assert sorted(by_node) == list(range(len(distinct)))
    assert [by_node[node] for node in prefixes.ends] == [tuple(text) for text in texts]
    for node, (row, position) in enumerate(prefixes.sources):
        assert prefixes.nodes[row, position] == node
