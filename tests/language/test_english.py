"""English captions, with typing errors and names, and captions of other languages."""

import random

import pytest

from hnclip_cli.language.caption import TAGS
from hnclip_cli.language.english import English
from hnclip_cli.language.parser import Parser
from hnclip_cli.lexicon import load_lexicon

ENGLISH = """
A woman stands in the dining area at the table.
two dgos plaing on teh beach
Nike Air Max 90 Running Shoes Red
Canon EOS 5D Mark IV Camera Body
Tom Hanks attends premiere of The Post
Snowboarder shredding powder
Jalapeño poppers on a plate
Louis Vuitton Women's Brown Leather Handbag
A man and a dog
A <b>dog</b> on a sofa
dog
"""
OTHERS = """
Eine Frau steht in der Küche am Tisch.
Ein Hund liegt auf dem Sofa
Kinder spielen am Strand
Herren Winterjacke mit Kapuze, schwarz
Une femme debout dans la cuisine près de la table.
Groupe de personnes attendant le bus
Chat noir sur tapis blanc
Una mujer de pie en la cocina junto a la mesa.
Un perro acostado en el sofá
Zapatos de mujer de cuero negro
Una donna in piedi in cucina vicino al tavolo.
Due uomini giocano a calcio in un parco
Een vrouw staat in de keuken bij de tafel.
Zwarte kat op wit tapijt
Uma mulher de pé na cozinha perto da mesa.
Um gato dorme em uma cadeira
Kobieta stoi w kuchni przy stole.
Czarny kot na białym dywanie
Kvinna som står i köket
Bir kadın mutfakta duruyor
Eine Frau sitzt auf dem Sofa with a dog
女の人がテーブルのそばに立っている
Женщина стоит на кухне
"""


@pytest.fixture(scope="module")
def is_english():
    lexicon = load_lexicon()
    parser = Parser(TAGS, lexicon)
    english = English(lexicon, parser.vocabulary)
    return lambda text: english(*parser.parse([text]))


@pytest.mark.parametrize("caption", ENGLISH.strip().splitlines())
def test_english_is_taken_for_english(is_english, caption):
    assert is_english(caption)


@pytest.mark.parametrize("caption", OTHERS.strip().splitlines())
def test_other_languages_are_not(is_english, caption):
    assert not is_english(caption)


def test_typing_errors_do_not_make_a_caption_foreign(is_english):
    captions = [
        "A group of people sitting around a wooden table with food",
        "Two young boys playing baseball in a field near a fence",
        "The train is pulling into the station while people wait",
    ]
    chooser = random.Random(0)

    def with_errors(caption):
        words = caption.split()
        for place in chooser.sample(range(len(words)), 3):
            letters = list(words[place])
            chooser.shuffle(letters)
            words[place] = "".join(letters)
        return " ".join(words)

    assert all(is_english(with_errors(caption)) for caption in captions * 20)


def test_what_was_parsed_since_counts_as_little_as_before():
    parser = Parser(TAGS)
    before = list(parser.vocabulary())
    parser.parse(["blorfing zzqqxy"])
    assert list(parser.vocabulary()) == before and "blorfing" not in before
