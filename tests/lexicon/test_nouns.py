from hnclip_cli.lexicon.attributes import COLORS, CONFUSABLE, LOOKS_OF_FAMILY, SIZE_OPPOSITE
from hnclip_cli.lexicon.nouns import further_rivals, nouns, nouns_by_first_word, rivals
from hnclip_cli.lexicon.objects import (
    ANIMATE,
    CLASSES,
    FAMILIES,
    FLYERS,
    PLACES,
    SIDE_BY_SIDE,
    TIED_STEMS,
)


def rival_names(word):
    return {rival.singular for rival in rivals(nouns()[word])}


def test_synonyms_and_more_general_words_never_replace_each_other():
    for word, never in [
        ("man", "person"), ("bike", "bicycle"), ("sofa", "couch"), ("dog", "puppy"),
        ("couch", "sofa"), ("cow", "bull"), ("circle", "ring"), ("square", "rectangle"),
        ("sheep", "goat"), ("taxi", "car"), ("coffee", "tea"), ("cat", "animal"),
    ]:  # fmt: skip
        assert never not in rival_names(word)


def test_rivals_are_things_of_the_same_family():
    assert {"dog", "bird"} <= rival_names("cat") and "rabbit" not in rival_names("cat")
    assert {"triangle", "star", "hexagon", "cross", "heart", "pentagon"} <= rival_names("circle")
    assert rival_names("man") == {"woman"}


def test_words_that_are_too_general_have_no_rivals():
    for word in ["person", "people", "animal", "vehicle", "food", "building", "ball"]:
        assert rivals(nouns()[word]) == ()


def test_irregular_plurals_are_known():
    for singular, plural in [("man", "men"), ("shelf", "shelves"), ("knife", "knives")]:
        assert nouns()[plural] is nouns()[singular]
    assert nouns()["sheep"].plural == "sheep"


def test_count_and_mass_nouns_do_not_mix():
    assert all(rival.is_mass for rival in rivals(nouns()["rice"]))
    assert not any(rival.is_mass for rival in rivals(nouns()["pizza"]))


def test_no_form_is_listed_twice():
    entries = []
    for text in FAMILIES.values():
        for line in text.splitlines():
            words = line.replace("|", " ").replace("=", " ").split()
            entries += [word.strip("*-").partition("/")[0] for word in words]
    assert sorted(entries) == sorted(set(entries))


def test_the_longest_name_that_begins_with_a_word_comes_first():
    found = nouns_by_first_word()
    names = {(first, *others): noun for first in found for others, noun in found[first]}
    assert {" ".join(words): noun for words, noun in names.items()} == nouns()
    for choices in found.values():
        lengths = [len(others) for others, _ in choices]
        assert lengths == sorted(lengths, reverse=True)


def test_tables_name_only_what_exists():
    families = ANIMATE | CLASSES.keys() | PLACES | SIDE_BY_SIDE | TIED_STEMS.keys()
    assert families | LOOKS_OF_FAMILY.keys() <= FAMILIES.keys()
    assert nouns().keys() >= FLYERS
    assert {look for pair in CONFUSABLE for look in pair} <= COLORS.keys()
    assert {look for looks in LOOKS_OF_FAMILY.values() for look in looks} <= COLORS.keys()


def test_the_opposite_of_a_size_is_never_the_size():
    assert all(word != opposite for word, opposite in SIZE_OPPOSITE.items())


def test_nouns_of_another_family_stand_for_what_rests():
    person = nouns()["person"]
    assert nouns()["cow"] not in further_rivals(person, at_rest=False)
    assert {nouns()["dog"], nouns()["cow"]} <= set(further_rivals(person, at_rest=True))
    assert nouns()["dog"] not in further_rivals(nouns()["puppy"], at_rest=True)
