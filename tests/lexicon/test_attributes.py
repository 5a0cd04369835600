from hnclip_cli.lexicon import load_lexicon

LEXICON = load_lexicon()
ATTRIBUTES = LEXICON.attributes


def test_near_looks_are_so_both_ways():
    assert ATTRIBUTES.near("red", "orange") and ATTRIBUTES.near("orange", "red")
    assert ATTRIBUTES.near("red", "red") and not ATTRIBUTES.near("red", "blue")


def test_the_opposite_of_a_size_is_never_the_size():
    assert all(word != opposite for word, opposite in ATTRIBUTES.opposites.items())


def test_a_thing_has_the_colors_of_its_family():
    cat, bus, tree = (LEXICON.nouns.forms[word] for word in ("cat", "bus", "tree"))
    assert "green" not in ATTRIBUTES.color_range(cat, "cat")[0]
    assert "pink" in ATTRIBUTES.color_range(bus, "bus")[1]
    assert "blue" not in ATTRIBUTES.color_range(tree, "tree")[0]
    assert ATTRIBUTES.color_range(None, "blurb") == (ATTRIBUTES.colors, ())


def test_states_are_said_of_words_families_and_classes():
    (young,) = ATTRIBUTES.states["young"]
    empty_place, empty_holder = ATTRIBUTES.states["empty"]
    assert young.is_said_of(LEXICON.nouns.forms["men"], "men")
    assert not young.is_said_of(None, "blurb")
    assert empty_place.is_said_of(None, "lot") and not empty_place.is_said_of(None, "bowl")
    assert empty_holder.is_said_of(LEXICON.nouns.forms["bowls"], "bowls")
