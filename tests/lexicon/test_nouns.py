from hnclip_cli.lexicon import load_lexicon

NOUNS = load_lexicon().nouns
FORMS = NOUNS.forms


def rival_names(word):
    return {rival.singular for rival in FORMS[word].rivals}


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
        assert FORMS[word].rivals == ()


def test_irregular_plurals_are_known():
    for singular, plural in [("man", "men"), ("shelf", "shelves"), ("knife", "knives")]:
        assert FORMS[plural] is FORMS[singular]
    assert FORMS["sheep"].plural == "sheep"
    assert FORMS["pants"].singular == "" and FORMS["bread"].plural == ""


def test_count_and_mass_nouns_do_not_mix():
    assert all(rival.is_mass for rival in FORMS["rice"].rivals)
    assert not any(rival.is_mass for rival in FORMS["pizza"].rivals)


def test_the_longest_name_that_begins_with_a_word_comes_first():
    found = NOUNS.by_first_word
    names = {(first, *others): noun for first in found for others, noun in found[first]}
    assert {" ".join(words): noun for words, noun in names.items()} == FORMS
    for choices in found.values():
        lengths = [len(others) for others, _ in choices]
        assert lengths == sorted(lengths, reverse=True)


def test_nouns_of_another_family_stand_for_what_rests():
    person = FORMS["person"]
    assert FORMS["cow"] not in person.stand_ins
    assert {FORMS["dog"], FORMS["cow"]} <= set(person.stand_ins_at_rest)
    assert FORMS["dog"] not in FORMS["puppy"].stand_ins_at_rest


def test_a_class_holds_synonyms_families_and_very_words():
    food, picture = NOUNS.classes["food"], NOUNS.classes["picture"]
    assert food.holds(FORMS["hamburger"]) and not food.holds(FORMS["cat"])
    assert picture.holds(None, "selfies") and not picture.holds(None, "cats")
    assert NOUNS.classes["mount"].holds(FORMS["pony"])
