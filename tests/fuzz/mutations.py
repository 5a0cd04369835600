"""Bytes that nearly are what a reader expects, as hypothesis draws them."""

from hypothesis import strategies as st

from tests.fuzz.targets import Target


@st.composite
def nearly(draw: st.DrawFn, target: Target) -> bytes:
    """One of the seeds, with some places overwritten, taken out, repeated or filled in."""
    data = bytearray(draw(st.sampled_from(target.seeds)))
    piece = st.sampled_from(target.words) | st.binary(max_size=8)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["insert", "overwrite", "remove", "repeat", "cut", "replace"]))
        length = draw(st.integers(1, 24))
        if how == "insert":
            data[at:at] = draw(piece)
        elif how == "overwrite":
            new = draw(piece)
            data[at : at + len(new)] = new
        elif how == "remove":
            del data[at : at + length]
        elif how == "repeat":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 40))
        elif how == "replace":
            data[at : at + length] = draw(piece)
        else:
            del data[at:]
    return bytes(data)
