"""Words for numbers of things."""

from hnclip_cli.lexicon.tables import Tables

_KNOWN = (*map(str, range(2, 11)), "many", "pair")


class Numbers:
    """All words for numbers."""

    def __init__(self, tables: Tables) -> None:
        self.names: dict[int, str] = {}
        self.values: dict[str, int] = {}  # by word and by digit
        # For the first word of what says "many" or "a pair": the words that follow, the longest
        # first, and whether it is a pair. All of them have one of the ``telling`` words.
        self.vague: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
        telling = set()
        for row in sorted(tables.rows("numbers"), key=lambda row: -row["words"].count(" ")):
            number = row.one_of("number", _KNOWN)
            if number.isdigit():
                self.names.setdefault(int(number), row["words"])
                self.values[row["words"]] = int(number)
                continue
            first, *others = row["words"].split(" ")
            telling.add([word for word in (first, *others) if word != "of"][-1])
            self.vague.setdefault(first, []).append((tuple(others), number == "pair"))
        self.values |= {str(value): value for value in range(2, 10)}
        self.telling = frozenset(telling)
