"""The actions: which verbs say the same, and what may be done instead by whom, to what.

``VERBS`` has one line a cluster: verbs that are said of the same image. ``RULES`` says what may
stand for what. A rule is

    human: ride @mount => stand next to, wash
    human: walk down @road => drive down, sit on

who acts, the verb with the words that are replaced along with it, what must follow, and the
replacements, all as dictionary forms: the form of the verb is put back. What follows is

    @class      a noun phrase whose noun is in ``OBJECTS`` (``@any``: every noun phrase)
    #class      one of the words of ``FOLLOWERS``

Replacements are frequent words that exclude the action: someone who holds a thing may well look
at it, but does not throw it.
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

RULES = """
    human: sit down => stand up
    human: sit at @seat => stand at
    human: sit around @seat => stand around
    human: sit #where => stand
    human: seat #where => stand
    human: stand up => sit down, lie down
    human: stand around => sit around
    human: stand #where => sit
    human: stand @none => sit
    human: lie #where => stand, sit
    human: lay down => stand up, sit up
    human: lay #where => stand, sit
    human: sleep #where => stand, play
    human: rest #where => stand, play
    human: relax #where => stand, work
    human: kneel #where => stand
    human: crouch #where => stand
    human: squat #where => stand
    human: bend over => stand near, sit near
    human: lean on => sit on, jump over
    human: lean against => sit on, paint
    human: lean over => stand behind, sit on
    human: walk down @road => drive down, sit on, lie on
    human: walk across @road => sit on, drive down, ride down
    human: walk along @road => sit on, drive down, ride down
    human: walk up @road => sit on, drive down
    human: walk on => sit on, lie on, run on
    human: walk in => sit in, sleep in, swim in
    human: walk through => sit in, sleep in, drive through
    human: walk across => sit on, lie on, ride across
    human: walk along => sit on, lie on, drive along
    human: walk with => sit with, ride with
    human: walk past => sit on, sit near
    human: walk by => sit by, sit near
    human: walk near => sit near
    human: walk around => sit around
    human: walk while => sit while
    human: walk @pet => wash, hold, chase
    human: walk #beside => sit
    human: walk down => sit on, lie on
    human: walk up => sit on, lie on
    human: run on => sit on, lie on, sleep on
    human: run in => sit in, sleep in
    human: run through => sit in, stand in
    human: run across => sit on, stand on
    human: run down => sit on, stand on
    human: run along => sit on, stand on
    human: run with => sit with
    human: jump over => sit on, lie on
    human: jump on => sleep on, sit on
    human: jump in => sleep in
    human: jump off => sit on, sleep on
    human: ride on the back of => stand next to, walk behind
    human: ride on top of => stand next to, walk next to
    human: ride on @mount => stand next to, walk next to
    human: ride on @cycle => stand next to, walk past
    human: ride on @board => stand next to, sit on
    human: ride on @wave => swim in, swim under
    human: ride @mount => feed, wash, walk next to
    human: ride @cycle => wash, fix, stand next to
    human: ride @board => hold, carry
    human: ride @wave => swim under, watch
    human: ride @car => wash, wait for
    human: ride in @cart => push, pull
    human: ride in @boat => swim past, wait for
    human: ride in @car => wash, walk past
    human: ride down @road => walk down, sit on
    human: ride through => walk through, sit in
    human: ride down => walk down, sit on
    human: ride up => walk up, sit on
    human: ride along => walk along, sit on
    human: ride next to => sit next to, sleep next to
    human: ride in => sleep in, swim in
    human: drive down @road => walk down, run down, sit on
    human: drive @car => wash, fix, wait for
    human: drive @cart => push, wash
    human: cross @road => sit on, sleep on
    human: ski down => walk down, sit on
    human: ski on => walk on, sit on
    human: ski in => sit in, walk in
    human: ski across => sit on, walk across
    human: ski through => sit in, walk through
    human: ski up => sit on
    human: snowboard down => walk down, sit on
    human: snowboard on => sit on, walk on
    human: skateboard down => walk down, sit on
    human: skateboard on => sit on, walk on
    human: skateboard in => sit in, run in
    human: skate on => sit on, walk on
    human: surf on => swim in, swim near
    human: surf in => swim in, walk in
    human: surf @wave => swim under, watch
    human: swim in => stand in, walk in
    human: hold @mount => ride, chase
    human: hold @board => ride, throw
    human: hold @food => cut, throw, cook
    human: hold @drink => pour, make
    human: hold @ball => kick, hit
    human: hold @club => throw, break
    human: hold @kite => paint, sell
    human: hold @person => chase, kick
    human: hold @pet => chase, wash, feed
    human: hold @beast => chase, ride
    human: hold @phone => throw, fix
    human: hold @computer => fix, clean
    human: hold @gadget => throw, fix
    human: hold @umbrella => throw, fix, sell
    human: hold @luggage => sit on, throw
    human: hold @vessel => wash, throw
    human: hold @utensil => throw, wash
    human: hold @book => write, throw
    human: hold @sign => paint, walk past
    human: hold @flower => cut, water
    human: hold @toy => throw, wash
    human: hold @picture => take, paint
    human: hold @camera => fix, throw
    human: hold @worn => wear, throw
    human: carry @board => ride, throw, sit on
    human: carry @food => eat, cut
    human: carry @umbrella => throw, fix
    human: carry @luggage => sit on, throw, open
    human: carry @person => chase
    human: carry @pet => chase, wash
    human: carry @kite => fly
    human: wear @worn => hold, throw, wash
    human: eat @food => throw, cook, cut, sell
    human: eat at => work at, stand at
    human: eat in => work in, sleep in
    human: drink @drink => pour, sell
    human: drink from => wash, hold
    human: cut @food => eat, throw
    human: slice @food => eat, throw
    human: bite @food => cut, throw
    human: bite into => throw
    human: make @food => eat, throw
    human: prepare @food => eat, throw
    human: cook @food => eat, throw
    human: serve @food => eat, throw
    human: sell @food => eat, cook
    human: throw @ball => kick, hit
    human: catch @ball => kick, hit
    human: kick @ball => hold, throw
    human: hit @ball => hold, kick
    human: swing at => hold, kick
    human: swing @club => throw, break
    human: pitch @ball => kick, hit
    human: fly @kite => fix, paint, buy
    human: play @game => watch
    human: play with @pet => run from, wash
    human: play with @ball => sit on, sell
    human: play in => sleep in, work in
    human: play on => sleep on, sit on
    human: look at @phone => talk on
    human: look at @computer => carry, clean
    human: look at @camera => hold, fix
    human: look at @book => write, throw
    human: look at @pet => hold, wash
    human: look at @beast => ride
    human: look at @any => sit on, walk past
    human: look out => sit under, paint
    human: look up => look down
    human: look down => look up
    human: stare at => run from, walk past
    human: watch @pet => hold, wash
    human: watch @beast => ride
    human: watch @computer => carry, fix
    human: watch @person => chase, hit
    human: talk on @phone => throw, fix
    human: talk to @person => hit, run from
    human: use @computer => carry, fix
    human: use @phone => throw, fix
    human: use @gadget => throw, fix
    human: use @board => carry
    human: work on @computer => carry, sleep next to
    human: take @picture => paint, hold
    human: ride @ski => hold, carry
    human: play @frisbee => sell, buy
    human: stand over => sit next to, lie next to
    human: hold up => throw, sit on
    human: enjoy @food => throw, cut
    human: have @food => throw, cut
    human: play with @person => fight with
    human: play with @computer => fix, carry
    human: play with @phone => throw, fix
    human: walk on @wave => swim in
    human: pose for @picture => hold, paint
    human: pose with => run from, walk past
    human: smile at => hold, throw
    human: point at => sit on, hold
    human: read @book => write, throw
    human: feed @pet => wash, hold, chase
    human: feed @beast => ride, wash, chase
    human: pet @pet => chase, wash
    human: pet @beast => ride, wash
    human: walk @beast => ride, wash
    human: push @cart => pull, sit on
    human: push @luggage => sit on
    human: pull @luggage => sit on
    human: pull @cart => push, sit on
    human: wait for @car => get off, drive
    human: wait on @car => drive
    human: get on @car => get off, wash
    human: get on @beast => feed, wash
    human: do @trick => watch
    human: perform @trick => watch
    human: brush @teeth => show
    human: reach for => throw, run from
    human: attempt to hit => kick, hold
    human: try to hit => kick, hold
    human: try to catch => kick
    pet: sit #where => stand, walk
    pet: sit @none => stand
    pet: stand #where => sit, sleep
    pet: lie #where => stand, walk
    pet: lay down => stand up, jump up
    pet: lay #where => stand, walk
    pet: sleep #where => stand, play
    pet: rest #where => stand, play
    pet: relax #where => stand, play
    pet: curl up => stand, jump
    pet: walk on => sit on, lie on
    pet: walk in => sit in, lie in
    pet: walk #beside => sleep, lie
    pet: walk down => sit on, lie on
    pet: walk along => sit on, lie on
    pet: walk across => sit on, lie on
    pet: walk through => sit in, lie in
    pet: run on => sit on, lie on
    pet: run in => sit in, lie in
    pet: run through => sit in, lie in
    pet: run with => sleep with, lie with
    pet: jump #on => sleep, lie, sit
    pet: jump over => sleep on, lie on
    pet: play in => sleep in, lie in
    pet: play on => sleep on, lie on
    pet: play with => sleep on, run from
    pet: eat @food => sit on, sleep on, run from
    pet: eat @any => sleep on, sit on, run from
    pet: eat from => sleep in, run from
    pet: eat out of => sleep in, run from
    pet: drink from => sleep in, jump into
    pet: hold @any => run from, sleep on
    pet: carry @any => run from, sleep on
    pet: chase @any => sleep on, sit next to
    pet: catch @any => sleep on, sit on
    pet: look at => run from, sleep on
    pet: look out => run from, sleep under
    pet: stare at => run from, sleep on
    pet: watch @any => run from, sleep on
    pet: ride @board => run from, sleep next to
    pet: ride in => run from, jump over
    pet: wear @worn => eat, sleep on
    pet: swim in => fly over, stand near
    bird: sit on => fly over
    bird: sit #where => fly
    bird: stand on => fly over
    bird: stand in => fly over
    bird: stand #where => fly
    bird: perch on => fly over, eat on
    pet: perch on => stand next to, sleep next to
    bird: fly over => stand on, sit on
    bird: fly in => sit in, swim in
    bird: fly through => sit in, swim in
    bird: float on => fly over, stand near
    bird: swim in => fly over, stand near
    bird: walk on => fly over, sleep on
    bird: walk in => fly over, sleep in
    bird: eat @any => sit on, fly over
    beast: stand #where => sit
    beast: stand around => sit around
    beast: stand @none => sit
    beast: lie #where => stand, walk
    beast: lay down => stand up, run
    beast: lay #where => stand, walk
    beast: sleep #where => stand, walk
    beast: rest #where => stand, walk
    beast: sit #where => stand, walk
    beast: walk on => sit on
    beast: walk in => sit in
    beast: walk down @road => sit on
    beast: walk down => sit on
    beast: walk along => sit on
    beast: walk across => sit on
    beast: walk through => sit in
    beast: walk around => sit in
    beast: walk by => sit by
    beast: walk #beside => sit
    beast: run on => stand on, sit on
    beast: run in => stand in, sit in
    beast: run through => stand in, sit in
    beast: run across => stand on
    beast: run along => stand on
    beast: graze on => sit on
    beast: graze in => sit in
    beast: graze #beside => sit
    beast: graze @none => sit
    beast: eat @grass => sit on
    beast: eat from => walk past, run past
    beast: eat off => walk past, lie under
    beast: eat out of => walk past, lie near
    beast: eat @any => walk past, lie on
    beast: drink from => walk past, run past
        beast: look at => run from, eat
    beast: look over => jump over
    beast: look out => lie under
    beast: pull @cart => stand behind, lie next to
    beast: pull @any => stand behind, lie next to
    beast: carry @any => run from, lie next to
    beast: play in => sleep in, lie in
    beast: play with => sleep on, run from
    beast: swim in => stand near, walk past
    beast: cross @road => lie on, sleep on
    road: parked on => drive down
    road: parked in @road => drive down
    road: parked in => drive through
    road: parked on the side of => drive down the middle of
    road: parked at => drive past
    road: parked outside => drive past
    road: parked #beside => drive
    road: parked along => drive down
    road: drive down => parked on
    road: drive on => parked on
    road: drive through => parked in
    road: drive along => parked on
    road: drive past => parked near
    road: travel down => parked on
    road: travel on => parked on
    road: travel along => parked on
    road: travel through => parked in
    road: go down => parked on
    road: move down => parked on
    road: ride down => parked on
    road: sit on @road => drive down
    plane: fly over => land near, parked near
    plane: fly through => parked under
    plane: fly in => parked under
    plane: sit on @runway => fly over
    plane: parked on => fly over
    plane: parked at => fly over
    plane: parked in => fly over
    plane: sit at => fly over
    plane: sit in => fly over
"""
