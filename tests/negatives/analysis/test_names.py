import pytest

from hnclip_cli.negatives.analysis.names import fixed_names, proper_names, quoted


@pytest.mark.parametrize(
    ("caption", "names"),
    [
        ("A tabby cat eats a corn dog", ["tabby cat", "corn dog"]),
        ("A bird's eye view of Sail Boats", ["bird's eye view", "Sail Boats"]),
        ("A hot dog bun and a hot dog", ["hot dog bun", "hot dog"]),
        ("A three year old at home", ["year old", "at home"]),
        ("Two pieces of a corn cob, and a dog", []),
        ("A hot day", []),
    ],
)
def test_fixed_names_are_found(parser, caption, names):
    (parsed,) = parser.parse([caption])
    assert [parsed.span(*name) for name in fixed_names(parsed)] == names


@pytest.mark.parametrize(
    ("caption", "names"),
    [
        ("iPhone 12 Case", ["iPhone 12 Case"]),
        ("Nike Air Max 90 Running Shoes Red", ["Nike Air Max 90"]),
        ("Canon EOS 5D Mark IV Camera Body", ["Canon EOS 5D Mark IV"]),
        ("Samsung Galaxy S21 Ultra Black Leather Phone Case", ["Samsung Galaxy S21 Ultra"]),
        ("Louis Vuitton Women's Brown Leather Handbag", ["Louis Vuitton"]),
        ("A man in front of the Eiffel Tower", ["Eiffel Tower"]),
        ("Apple MacBook Pro on a wooden desk", ["Apple MacBook Pro"]),
        ("A Boeing 747 airplane on the runway", ["Boeing 747 airplane"]),
        ("A STOP sign on a street in New York City", ["New York City"]),
        ("Green Day performs on stage in Chicago", ["Green Day", "Chicago"]),
        ("Black Lives Matter march in a city street", ["Black Lives Matter march"]),
        ("A Greenpeace ship and a Vespa scooter", ["Greenpeace ship", "Vespa scooter"]),
        ("A plane on runway 27L by gate 5", ["runway 27L", "gate 5"]),
        ("Kids train with 80 pieces, set 12 dogs", []),
        ("Two women: Black dress and red shoes | White hat with a ribbon", []),
        ("A young Asian woman holds a STOP sign", []),
        ("Two dogs on the 2nd floor at 10am", []),
        ("A black dog lies on the couch.", []),
        ("Wooden Table With Four Chairs", []),
        ("ALL CAPS DOG ON A SOFA", []),
    ],
)
def test_proper_names_are_found(parser, caption, names):
    (parsed,) = parser.parse([caption])
    assert [parsed.span(*name) for name in proper_names(parsed)] == names


@pytest.mark.parametrize(
    ("caption", "literal"),
    [
        ('A sign that says "black cats" on a wall', ['"black cats"']),
        ("Vincent van Gogh, “Two Sunflowers”, 1888", ["“Two Sunflowers”"]),
        ("The word 'dog' on a white mug", ["'dog'"]),
        ("A dog's bowl and the cats' bed, 12\" by 14\" wide", []),
        ('"A dog on a sofa."', []),
        ("Two Women Running, Pablo Picasso, 1922", ["Two Women Running, Pablo Picasso, 1922"]),
        ("Photograph of two women on a train, 1943", []),
    ],
)
def test_what_is_quoted_is_found(parser, caption, literal):
    (parsed,) = parser.parse([caption])
    assert [caption[start:end] for start, end in quoted(parsed)] == literal
