"""The words of actions: verbs that say the same, things they are done to, and what follows.

``VERBS`` has one line a cluster: verbs that are said of the same image.
"""

VERBS = """
    sit seat perch squat crouch kneel
    stand
    lie lay sleep nap rest relax lounge recline snooze
    walk stroll wander hike march
    run jog race gallop chase charge sprint rush
    jump leap hop
    hold carry grip clutch grasp
    wear
    ride mount
    drive travel move head go speed cruise
    park stop dock
    eat graze chew bite munch feed nibble
    drink sip
    throw toss pitch
    catch
    kick
    hit swing strike serve bat
    fly soar glide
    play
    talk speak chat
    watch look stare gaze observe view
    wash clean rinse scrub bathe
    cook bake fry grill roast
    cut slice chop carve
    make prepare
    fix repair
    paint draw decorate
    pet stroke hug
    push
    pull drag tow
    swim
    surf
    ski
    snowboard
    skateboard skate
    cross
    read
    write
    point
    wave
    climb
    smile laugh grin
    cry
    sell
    buy shop
    open
    close
    pour
    dance
    fight
    work
    use
    cover
    pose
    wait
    lean
    brush comb
"""

# Noun families, and nouns by themselves, of the lexicon.
OBJECTS = {
    "mount": "horse elephant camel",
    "cycle": "motorcycle",
    "board": "skateboard surfboard snowboard board",
    "food": ":dish :produce :staple food meal",
    "drink": ":beverage",
    "worn": ":headgear :outfit glass",
    "ball": "frisbee soccer_ball basketball ball tennis_ball baseball football",
    "club": "tennis_racket baseball_bat",
    "kite": "kite balloon",
    "person": ":adult :youth :athlete :profession",
    "pet": ":small_animal",
    "beast": ":large_animal",
    "car": "car truck bus tractor train vehicle",
    "boat": "boat",
    "phone": "cell_phone",
    "computer": "laptop television",
    "gadget": "remote wii_remote camera",
    "umbrella": "umbrella",
    "luggage": "suitcase backpack bag purse box luggage basket",
    "vessel": ":vessel",
    "utensil": "fork toothbrush pencil",
    "book": "book newspaper magazine",
    "sign": "sign stop_sign flag",
    "flower": "flower bouquet plant rose",
    "toy": ":toy",
    "seat": "couch bed chair table bench",
    "road": "street sidewalk path road",
    "rail": "track",
    "wave": "wave ocean water",
    "slope": "mountain hill snow",
    "grass": "grass hay leaf",
    "cart": "carriage cart",
    "wall": "wall fence tree",
    "sky": "sky air",
    "picture": "picture photo photograph selfie",
    "camera": "camera",
    "game": "game",
    "sport": "tennis baseball soccer basketball football volleyball",
    "trick": "trick stunt",
    "ski": "skis ski",
    "frisbee": "frisbee",
    "teeth": "tooth teeth",
    "runway": "runway tarmac airport",
}

# A state rather than an action: these have no other form.
PARTICIPLES = {"parked"}

FOLLOWERS = {
    # Where someone is; the same for any posture.
    "where": "on in at near by next beside under underneath beneath behind inside outside atop "
    "along against between among around with while and together alone above below outdoors",
    "on": "on in upon inside atop",
    "beside": "near by next beside behind with in on under outside inside along and while "
    "between together alone",
}
