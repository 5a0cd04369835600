"""Nouns that replace one of another family, or a word too general for its own.

Before the bar: whatever the caption says; after it: only where all verbs say how something rests
or walks, which whatever is alive can do. Where there is a choice within the family, only people
and animals need them.
"""

ALSO_REPLACES = """
    man: girl | dog
    woman: boy | dog
    boy: woman | dog
    girl: man | dog
    person: dog | cat horse cow
    child: man woman | dog
    toddler: man woman | dog
    baby: man woman | dog
    kid: man woman | dog
    student: | dog
    player: dog
    batter: dog
    catcher: dog
    umpire: dog
    rider: dog
    athlete: dog
    boarder: dog
    surfer: dog
    skier: dog
    skateboarder: dog
    animal: man woman
    cat: | horse
    dog: | horse
    bird: | dog cat
    horse: | dog man woman
    cow: | dog man woman
    elephant: | man woman
    giraffe: | man woman
    zebra: | man woman
    sheep: | dog man woman
    bear: | man woman
    teddy bear: cat dog
    car: boat train
    truck: boat
    bus: boat
    motorcycle: boat
    train: boat
    airplane: bird
    salad: cake donut
    pizza: cake donut
    sandwich: cake donut
    cake: sandwich
    carrot: banana
    banana: carrot
    apple: carrot
    orange: carrot
    tomato: banana
    potato: banana
    onion: banana
    laptop: cat
    mouse: cat
    television: bed
    couch: toilet
    bed: toilet
    chair: toilet
    table: toilet
    plate: umbrella
    bowl: umbrella
    fork: banana
    sign: clock statue
    stop sign: clock
    clock: sign
    tree: train
    bush: bench
    flower: apple
    window: bench
    mirror: clock
    lamp: bench
    wall: tree
    pole: tree
    rock: bench
    bag: umbrella
    box: bowl bag
    tray: box
    book: cell_phone
    newspaper: laptop
    magazine: laptop
    flag: kite
    shirt: dress hat
    jacket: dress
    coat: dress
    tie: hat
    scarf: hat
    uniform: dress
    ball: frisbee
    tennis ball: frisbee
    baseball: frisbee
    sink: bed bench
    floor: table bed
    traffic light: clock
    counter: bench bed
    dresser: bench
    cabinet: bench
    remote: cell_phone
    controller: cell_phone
    remote control: cell_phone
    tablet: book
    vegetable: cake donut
    fruit: cake donut
    meat: rice pasta
    broccoli: rice pasta
    lettuce: rice pasta
    bread: rice pasta
    cheese: rice pasta
    chicken: rice pasta
    cookie: apple
    pastry: apple
    bagel: apple
    bun: apple
    rug: bench
    carpet: bench
    fence: train
    building: boat train
    vehicle: horse
    tower: tree
    room: street
    board: kite
    plant: clock
    vase: clock
    kite: umbrella
    frisbee: kite
    umbrella: kite
    track: beach
    court: beach
    path: beach
    trail: beach
    ramp: beach
    dock: beach
    pier: street
"""
