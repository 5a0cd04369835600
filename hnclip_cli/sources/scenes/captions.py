"""Saying what a scene shows, in varied English that is true, and false once it is altered."""

import random

from hnclip_cli.sources.scenes.layout import DIRECTIONS, OPPOSITES, Scene, Thing, pick

SIZE_WORDS = {"small": ("small", "small", "little"), "large": ("large", "large", "big")}

RELATION_WORDS = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "above": ("above", "above", "over"),
    "below": ("below", "under", "beneath"),
}

PLACE_WORDS = {
    "left": ("on the left", "on the left side"),
    "right": ("on the right", "on the right side"),
    "above": ("at the top", "at the top"),
    "below": ("at the bottom", "at the bottom"),
}

# An object this far off the middle (a share of the image's width) is in a place of its own; two
# that stand side by side must each be on their own side of the middle.
OFF_CENTER_ALONE = 0.14
OFF_CENTER_BESIDE = 0.04

ONE_OBJECT = (
    "{hub}",
    "there is {hub}",
    "a picture of {hub}",
    "a drawing of {hub}",
    "an image with {hub}",
    "the image shows {hub}",
    "this picture shows {hub}",
    "we can see {hub}",
    "{hub} on a plain background",
    "{hub} and nothing else",
)

ONE_OBJECT_PLACED = (
    "{hub} {hub_place}",
    "{hub} is {hub_place}",
    "there is {hub} {hub_place}",
    "a picture with {hub} {hub_place}",
    "the image shows {hub} {hub_place}",
)

TWO_OBJECTS = (
    "{a} {a_hub} {hub}",
    "{a} is {a_hub} {hub}",
    "{a} is {a_hub} {hub}",
    "{a} sits {a_hub} {hub}",
    "{a} is placed {a_hub} {hub}",
    "{a} can be seen {a_hub} {hub}",
    "there is {a} {a_hub} {hub}",
    "a picture of {a} {a_hub} {hub}",
    "a drawing of {a} {a_hub} {hub}",
    "an image with {a} {a_hub} {hub}",
    "the image shows {a} {a_hub} {hub}",
    "in this picture, {a} is {a_hub} {hub}",
)

TWO_OBJECTS_PLACED = (
    "{a} {a_place} and {hub} {hub_place}",
    "{a} {a_place} and {hub} {hub_place}",
    "{a} is {a_place} and {hub} is {hub_place}",
    "there is {a} {a_place} and {hub} {hub_place}",
    "a picture of {a} {a_place} and {hub} {hub_place}",
    "the image shows {a} {a_place} and {hub} {hub_place}",
    "we can see {a} {a_place}, and {hub} {hub_place}",
)

# A second mention repeats the color, so that altering any one word of it makes it false.
THREE_OBJECTS = (
    "{a} is {a_hub} {hub}, and {c} is {c_hub} {the_hub}",
    "{a} is {a_hub} {hub}, while {c} is {c_hub} {the_hub}",
    "{a} is {a_hub} {hub}, and {the_hub} is {hub_c} {c}",
    "{a} is {a_hub} {hub}, which is {hub_c} {c}",
    "{hub} is {hub_a} {a}, and {c} is {c_hub} {the_hub}",
    "{hub} is {hub_a} {a} and {hub_c} {c}",
    "{a} {a_hub} {hub} and {c} {c_hub} {the_hub}",
    "there is {a} {a_hub} {hub} and {c} {c_hub} {the_hub}",
    "there is {hub} {hub_a} {a} and {hub_c} {c}",
    "a picture of {a} {a_hub} {hub}, with {c} {c_hub} {the_hub}",
    "the image shows {hub} {hub_a} {a}, and {c} {c_hub} {the_hub}",
    "in this picture, {a} is {a_hub} {hub}, and {c} is {c_hub} {the_hub}",
)

ALIKE = (
    "{things}",
    "there are {things}",
    "{things} on a plain background",
    "the image shows {things}",
    "this picture shows {things}",
    "we can see {things}",
)
NUMBER_WORDS = {2: "two", 3: "three", 4: "four"}

TEMPLATES = {1: ONE_OBJECT, 2: TWO_OBJECTS, 3: THREE_OBJECTS}
PLACED_TEMPLATES = {1: ONE_OBJECT_PLACED, 2: TWO_OBJECTS_PLACED}
PLACED_SHARE = 0.7  # of the scenes whose objects are in places of their own


def caption_of(rng: random.Random, scene: Scene) -> str:
    """A caption that names every object of the scene, and where it lies or how from the first.

    Sizes are said of all objects or of none, and objects are never merely listed, so that
    exchanging two colors, nouns, sizes or noun phrases makes the caption false (or leaves it as
    it was, where the two are the same word).
    """
    sized = rng.random() < 0.4
    places = _places(rng, scene)
    placed = bool(places) and rng.random() < PLACED_SHARE
    template = pick(rng, (PLACED_TEMPLATES if placed else TEMPLATES)[len(scene.things)])
    words = {f"{name}_place": pick(rng, PLACE_WORDS[place]) for name, place in places.items()}
    words |= {"the_hub": f"the {scene.things[0].color} {scene.things[0].shape}"}
    for name, thing in zip(("hub", "a", "c"), scene.things, strict=False):
        words[name] = _noun_phrase(rng, thing, sized)
    for name, direction in zip(("a", "c"), scene.directions, strict=False):
        words[f"{name}_hub"] = pick(rng, RELATION_WORDS[direction])
        words[f"hub_{name}"] = pick(rng, RELATION_WORDS[OPPOSITES[direction]])
    return _written(rng, template.format_map(words))


def caption_of_alike(rng: random.Random, scene: Scene) -> str:
    """A caption that says how many things of one color and shape a scene shows."""
    thing = scene.things[0]
    ending = "es" if thing.shape.endswith("s") else "s"
    things = f"{NUMBER_WORDS[len(scene.things)]} {thing.color} {thing.shape}{ending}"
    return _written(rng, pick(rng, ALIKE).format(things=things))


def _written(rng: random.Random, caption: str) -> str:
    if rng.random() < 0.75:
        caption = caption[0].upper() + caption[1:]
    return caption + "." if rng.random() < 0.6 else caption


def _places(rng: random.Random, scene: Scene) -> dict[str, str]:
    """Where in the image the objects are, by name, if that is beyond dispute; else nothing."""
    hub = scene.things[0]
    if len(scene.things) == 1:
        clear = [side for side in OPPOSITES if _is_at(hub, side, OFF_CENTER_ALONE)]
        return {"hub": pick(rng, clear)} if clear else {}
    if len(scene.things) == 2:
        side = scene.directions[0]
        places = {"a": side, "hub": OPPOSITES[side]}
        things = {"a": scene.things[1], "hub": hub}
        if all(_is_at(things[name], places[name], OFF_CENTER_BESIDE) for name in places):
            return places
    return {}


def _is_at(thing: Thing, side: str, off_center: float) -> bool:
    step_x, step_y = DIRECTIONS[side]
    return (thing.x - 0.5) * step_x + (thing.y - 0.5) * step_y >= off_center


def _noun_phrase(rng: random.Random, thing: Thing, sized: bool) -> str:
    words = f"{thing.color} {thing.shape}"
    if sized:
        words = f"{pick(rng, SIZE_WORDS[thing.size])} {words}"
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"
