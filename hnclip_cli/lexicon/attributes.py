"""Colors, sizes, counts and other attributes, and what may stand for what."""

# One entry, one look: names in an entry are too close to deny each other.
COLORS: dict[str, tuple[str, ...]] = {
    "red": ("red", "maroon", "crimson", "scarlet", "burgundy"),
    "orange": ("orange",),
    "yellow": ("yellow", "gold", "golden", "blonde", "blond"),
    "green": ("green", "lime", "olive"),
    "blue": ("blue", "navy", "teal", "turquoise", "aqua", "cyan"),
    "purple": ("purple", "violet", "lavender", "magenta"),
    "pink": ("pink",),
    "brown": ("brown", "tan", "beige", "khaki", "chestnut"),
    "black": ("black",),
    "white": ("white", "cream", "ivory"),
    "gray": ("gray", "grey", "silver"),
}
COLOR_LOOK = {name: look for look, names in COLORS.items() for name in names}

# Looks that people also mix up; neither replaces the other.
CONFUSABLE = {
    frozenset(pair.split())
    for pair in (
        "red orange",
        "orange yellow",
        "red pink",
        "purple pink",
        "purple blue",
        "brown orange",
        "brown red",
        "white gray",
        "black gray",
        "brown yellow",
        "brown gray",
        "brown black",
        "yellow white",
        "blue gray",
        "blue green",
        "red purple",
        "red brown",
        "blue black",
    )
}

ALL_LOOKS = tuple(COLORS)
LOOKS_OF_FAMILY = {
    "small animal": ("black", "white", "brown", "gray", "orange"),
    "large animal": ("black", "white", "brown", "gray"),
    "produce": ("red", "orange", "yellow", "green", "purple"),
    "dish": ("red", "yellow", "green", "brown", "white", "pink"),
    "staple": ("red", "yellow", "green", "brown", "white"),
    "beverage": ("red", "yellow", "green", "brown", "white", "pink"),
}

GREENERY = {
    "field", "fields", "hill", "hills", "hillside", "lawn", "meadow", "pasture", "park", "plant",
    "plants", "tree", "trees", "leaf", "leaves", "bush", "bushes", "forest", "landscape", "area",
    "vegetables", "vegetation", "slope", "mountain", "mountains", "yard", "garden",
}  # fmt: skip
LOOKS_OF_GREENERY = ("brown", "yellow", "green", "white")

COLOR_SHADES = {
    "light", "dark", "bright", "pale", "deep", "navy", "hot", "neon", "lime", "sky", "royal",
    "mint", "mustard", "pastel", "fluorescent", "brick",
}  # fmt: skip

# "a green bean" is no bean that is green: color, then the word that makes it a name.
NOT_A_COLOR = {
    "orange": {"juice", "slice", "slices", "peel", "peels", "tree", "trees", "wedge", "wedges"},
    "green": {"bean", "beans", "onion", "onions", "tea", "salad", "house", "peppers", "pepper"},
    "white": {"board", "house", "wine", "rice", "water", "bread", "sauce", "christmas", "caps"},
    "black": {"board", "bear", "bears", "bird", "birds", "beans", "pepper", "tie", "eye", "top"},
    "brown": {"bear", "bears", "rice", "bread", "sugar"},
    "red": {"wine", "sox", "velvet", "eye", "meat", "carpet", "head", "cross", "bull", "panda"},
    "blue": {"jay", "jays", "cheese", "jeans", "ray", "angels"},
    "yellow": {"cab", "cabs", "pages"},
    "gold": {"fish", "medal", "retriever"},
    "golden": {"retriever", "retrievers", "gate"},
    "silver": {"ware", "medal"},
    "cream": {"cheese", "sauce", "pie", "puff", "puffs", "cone", "cones", "cake", "sandwich"},
    "lime": {"juice", "slice", "wedge", "pie"},
    "olive": {"oil", "tree", "trees"},
    "chestnut": {"tree", "trees"},
}
COLOR_HEADS_REFUSED = {
    "photo", "photos", "photograph", "photographs", "picture", "pictures", "image", "images",
    "shot", "print", "portrait", "film", "tone", "tones", "color", "colors", "theme", "scheme",
    "background", "light", "lights", "sky", "skies", "hair", "snow", "water", "waters", "grass",
    "team", "shirts", "one", "ones", "version", "view", "photography", "footage", "drawing",
}  # fmt: skip

# Word: its opposite. The magnitude is kept, so that neither side gives the negative away.
SIZE_OPPOSITE = {
    "small": "large",
    "little": "big",
    "tiny": "huge",
    "miniature": "giant",
    "large": "small",
    "big": "small",
    "huge": "tiny",
    "giant": "tiny",
    "enormous": "tiny",
    "gigantic": "tiny",
    "massive": "tiny",
    "smaller": "larger",
    "larger": "smaller",
    "bigger": "smaller",
    "smallest": "largest",
    "largest": "smallest",
    "biggest": "smallest",
    "tall": "short",
    "taller": "shorter",
    "tallest": "shortest",
    "wide": "narrow",
    "narrow": "wide",
    "thick": "thin",
    "thin": "thick",
    "deep": "shallow",
    "shallow": "deep",
    "long": "short",
    "longer": "shorter",
}
SMALL_WORDS = {"small", "little", "tiny", "miniature", "mini", "smaller", "smallest"}
BIG_WORDS = {
    "large", "big", "huge", "giant", "enormous", "gigantic", "massive", "larger", "bigger",
    "largest", "biggest", "oversized",
}  # fmt: skip
SIZE_HEADS_REFUSED = {
    "bit", "ben", "league", "scale", "screen", "way", "ways", "time", "variety", "array", "range",
    "part", "deal", "eyes", "smile", "game", "toe", "apple", "number", "amount", "shot", "angle",
    "kid", "kids", "boy", "girl", "boys", "girls", "child", "children", "one", "ones", "brother",
    "sister", "sized", "portion", "portions", "jump", "air", "beach", "ski", "distance", "leg",
    "legs", "night", "day", "board", "boards", "exposure", "fat", "haired", "horn",
    "stop", "order", "cake", "cakes", "hand", "while", "line", "size", "selection", "assortment",
}  # fmt: skip

NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
UNITS = {
    "feet", "foot", "inches", "inch", "years", "year", "minutes", "hours", "days", "dollars",
    "cents", "miles", "meters", "pounds", "thirds", "tone", "story", "way", "sided", "times",
    "decks", "levels", "stories", "ways", "tiers", "percent", "seconds", "degrees", "tones",
    "floors", "others", "ends", "halves", "sides", "o'clock", "pm", "am", "wheels", "sets",
}  # fmt: skip

# Attributes that any thing (or, where so marked, any creature) can have. One line, one cluster.
ATTRIBUTE_CLASSES: dict[str, str] = {
    "age": """
        old | older elderly antique vintage ancient
        young | younger
        new | modern
    """,
    "material": """
        wooden | wood
        metal | steel iron metallic
        plastic
        glass
        stone | rock
        brick
        concrete | cement
        leather
        paper | cardboard
    """,
    "pattern": """
        striped
        spotted | dotted
        plaid | checkered
        floral | flowered
        plain
    """,
    "condition": """
        dirty | messy muddy dusty
        clean
        wet | soaked
        dry
        broken | damaged
        rusty | rusted
    """,
    "fill": """
        empty
        full
        open | opened
        closed | shut
    """,
    "light": """
        bright
        dark
    """,
    "outline": """
        round | circular
        square | rectangular
        triangular
    """,
    "height": """
        tall
        short
    """,
    "width": """
        wide
        narrow
    """,
    "thickness": """
        thick
        thin
    """,
}
ANIMATE_ONLY = {"young", "younger", "elderly", "older"}
INANIMATE_ONLY = {
    "new", "modern", "antique", "vintage", "ancient", "empty", "full", "open", "opened", "closed",
    "shut", "wooden", "wood", "metal", "steel", "iron", "metallic", "plastic", "glass", "stone",
    "rock", "brick", "concrete", "cement", "leather", "paper", "cardboard", "round", "square",
    "circular", "rectangular", "triangular", "bright", "dark", "broken", "damaged", "rusty",
    "rusted", "wide", "narrow", "thick", "thin", "long", "dotted", "floral",
}  # fmt: skip

# Capital letters that stay when the word leaves the start of a sentence.
PROPER_ADJECTIVES = {
    "american", "asian", "african", "european", "british", "english", "french", "german",
    "italian", "spanish", "mexican", "chinese", "japanese", "indian", "thai", "greek", "roman",
    "dutch", "swiss", "canadian", "australian", "caucasian", "hispanic", "christmas", "easter",
    "halloween", "irish", "victorian", "i", "i'm", "siamese", "dalmatian", "nintendo", "wii",
}  # fmt: skip
