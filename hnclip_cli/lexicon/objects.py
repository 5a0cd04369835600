"""The nouns: families of things, and in each the clusters that must not replace each other.

One line is one cluster: synonyms, breeds, parts of one set, or things that so often stand
together that one for the other might still be true of the image. Nouns of different clusters of
a family exclude each other as the thing a phrase names.

    cat kitten | feline      before the bar: may replace; after it: only be replaced
    = animal creature        known (swaps use them), but too general or ambiguous to replace
    knife/knives             an irregular plural
    bread*                   a mass noun, without plural
    -pants                   a noun that is always plural
    fire_hydrant             several words
"""

FAMILIES: dict[str, str] = {
    "adult": """
        man | guy gentleman/gentlemen male dude
        woman | lady female
        = person/people adult couple/couples human pedestrian worker employee tourist driver
        = someone* parent mother father mom dad husband/husbands wife/wives friend
    """,
    "youth": """
        boy
        girl
        = child/children kid toddler baby infant teenager youth student
    """,
    "athlete": """
        skier snowboarder
        surfer | windsurfer
        skateboarder | skater
        cyclist | bicyclist biker motorcyclist
        = player batter catcher umpire athlete rider boarder hitter swimmer racer
    """,
    "profession": """
        chef | cook baker
        firefighter | fireman/firemen
        police_officer | policeman/policemen cop officer
        farmer
        | doctor nurse
        | clown
        | soldier
        = waiter waitress bride groom vendor jockey cowboy
    """,
    "small animal": """
        cat kitten | kitty
        dog puppy | pup/pups poodle bulldog terrier
        bird | pigeon seagull parrot crow owl hawk eagle pelican goose/geese swan duck flamingo
        | monkey
        | rabbit bunny hare
        | squirrel
        | pig piglet hog
    """,
    "large animal": """
        horse | pony foal colt mare
        cow | bull calf/calves ox/oxen
        sheep/sheep goat | lamb
        elephant
        giraffe
        zebra
        bear | polar_bear brown_bear grizzly_bear black_bear bear_cub panda panda_bear
        | lion tiger leopard cheetah
        | camel llama alpaca
        | deer/deer antelope elk/elk moose/moose gazelle
        = animal pet creature cub mammal cattle* gorilla ape
    """,
    "vehicle": """
        | car automobile sedan suv taxi cab van minivan convertible jeep
        truck | pickup_truck pick-up fire_truck semi_truck dump_truck lorry firetruck
        bus | school_bus tour_bus city_bus coach
        train | locomotive trolley tram streetcar subway subway_train passenger_train freight_train
        motorcycle bicycle | bike motorbike moped scooter motor_scooter dirt_bike
        airplane | plane air_plane jet jetliner airliner jumbo_jet aircraft/aircraft biplane
        | helicopter
        boat | ship sailboat ferry canoe kayak yacht raft rowboat speedboat barge motorboat
        | tractor
        | carriage wagon buggy cart
        = vehicle trailer
    """,
    "furniture": """
        couch | sofa loveseat futon
        bed | mattress bunk_bed crib
        table desk | coffee_table dining_table picnic_table
        chair bench | armchair stool recliner rocking_chair lawn_chair
        | shelf/shelves bookshelf/bookshelves bookcase
        = floor dresser nightstand seat ottoman cabinet crate
    """,
    "soft goods": """
        pillow | cushion
        blanket | comforter quilt
        towel
        = rug carpet mat bedspread sheet tablecloth
    """,
    "appliance": """
        refrigerator stove | fridge oven freezer microwave microwave_oven dishwasher toaster
        toilet bathtub | bath_tub tub urinal shower bidet
        | washing_machine washer
        | piano
        = sink counter cupboard
    """,
    "device": """
        laptop | computer laptop_computer desktop_computer monitor computer_monitor keyboard
        television | tv tv_set television_set flat_screen_tv
        cell_phone | phone cellphone smartphone telephone iphone mobile_phone smart_phone
        camera
        | printer
        | radio
        = remote remote_control controller game_controller video_game_controller tablet blender
        = wii_remote wii_controller screen
    """,
    "street furniture": """
        fire_hydrant | hydrant
        stop_sign | street_sign road_sign
        parking_meter
        | mailbox
        statue | sculpture
        traffic_light | stoplight traffic_signal stop_light
        = sign pole lamppost street_light billboard traffic_cone
    """,
    "building": """
        church | cathedral chapel
        | barn
        | castle
        house | home cottage cabin
        | skyscraper
        | lighthouse
        hotel
        | windmill
        clock_tower | tower
        = building structure hut shed garage tent
    """,
    "business": """
        restaurant | cafe bakery pizzeria diner cafeteria
        | library bookstore
        | museum
        | hospital
        train_station | bus_station subway_station
        airport
        | stadium
        | school classroom
        | gym
        store | shop market supermarket grocery_store
        = bar station
    """,
    "room": """
        kitchen | dining_room kitchenette dining_area
        bathroom | restroom washroom rest_room bath_room
        bedroom | hotel_room
        living_room | living_area
        office
        = room hallway lobby
    """,
    "place in": """
        field park yard | pasture meadow garden lawn
        forest | woods* wooded_area jungle
        | desert
        city | downtown* town
        parking_lot
        pool river lake | swimming_pool ocean pond stream creek sea
        zoo
        = skate_park
    """,
    "place on": """
        beach | shore
        street road sidewalk | side_walk highway crosswalk freeway
        | runway tarmac
        hill mountain | ski_slope slope hillside mountainside
        | bridge
        | tennis_court baseball_field soccer_field
        = path trail dock pier track court ramp
    """,
    "ground": """
        grass*
        snow* | ice*
        sand*
        water*
        dirt* | mud*
        = hay* concrete* pavement*
    """,
    "board": """
        skateboard | skate_board
        surfboard | surf_board
        snowboard
        = sled board boogie_board wakeboard
    """,
    "sports gear": """
        tennis_racket | racket racquet tennis_racquet
        baseball_bat | bat
        frisbee | frisbie
        soccer_ball
        | basketball
        kite
        = ball tennis_ball baseball football baseball_glove mitt disc volleyball
    """,
    "hand-held": """
        umbrella | parasol
        suitcase
        backpack | back_pack
        | guitar
        | balloon
        basket
        = bag purse handbag box briefcase luggage* flag book newspaper magazine
    """,
    "headgear": """
        hat | cap baseball_cap cowboy_hat
        helmet
        | crown tiara
        = hood headband mask
    """,
    "outfit": """
        dress | gown
        wetsuit | wet_suit
        suit | tuxedo
        | apron
        | kimono
        = uniform costume outfit shirt jacket coat sweater vest skirt jersey tie scarf glove
        = -pants -jeans -shorts -trousers -shoes -boots -socks
    """,
    "dish": """
        pizza
        sandwich | burger hamburger cheeseburger
        hot_dog | hotdog
        cake | cupcake birthday_cake chocolate_cake
        donut | doughnut
        salad
        | burrito taco
        | pie
        | omelet omelette
        = pastry cookie muffin bagel bun meal dessert snack egg pancake waffle
    """,
    "produce": """
        banana
        apple
        orange
        carrot
        | strawberry
        | lemon lime
        tomato/tomatoes
        potato/potatoes
        | pineapple
        | watermelon
        = onion pear peach fruit vegetable pepper mushroom grape pumpkin
    """,
    "staple": """
        rice*
        soup* | stew*
        pasta* | spaghetti*
        ice_cream*
        cereal*
        = bread* meat* chicken* cheese* broccoli* lettuce* food* beef* pork* sauce* toast* corn*
        = cauliflower* bacon* seafood*
    """,
    "beverage": """
        wine*
        beer*
        milk*
        coffee* | tea*
        orange_juice* | juice*
        = soda*
    """,
    "vessel": """
        plate | platter
        bowl
        cup | mug
        bottle
        | jar
        | pan skillet frying_pan pot
        = tray container dish saucer glass/glasses pitcher
    """,
    "utensil": """
        fork spoon | knife/knives
        | paintbrush
        toothbrush | tooth_brush
        | comb hairbrush
        | pencil pen marker
        = chopstick spatula brush
    """,
    "decoration": """
        clock
        vase
        painting | poster
        = mirror candle fan lamp picture_frame flower rose plant potted_plant bouquet doorway
        = window door curtain
        = fence wall tree bush rock log palm_tree christmas_tree fireplace
    """,
    "toy": """
        teddy_bear | stuffed_bear stuffed_animal stuffed_toy
        doll
        robot
        = toy puppet mouse/mice
    """,
    "shape": """
        circle | oval ring
        square | rectangle diamond
        triangle
        star
        hexagon
        pentagon
        heart
        cross/crosses
        crescent
        = arrow cube sphere cylinder cone pyramid shape octagon
    """,
}

ANIMATE = {"adult", "youth", "athlete", "profession", "small animal", "large animal"}
HUMAN = ANIMATE - {"small animal", "large animal"}
PLACES = {"business", "room", "place in", "place on", "ground"}

# What a family can do: swaps across these classes read badly with most verbs.
CLASSES = {
    **dict.fromkeys(ANIMATE, "animate"),
    "vehicle": "vehicle",
    "building": "building",
}

# Members of these stand side by side so often ("a desk with a monitor and …") that in a list or
# after "with" one for the other may well be true of the image.
SIDE_BY_SIDE = {
    "furniture",
    "soft goods",
    "device",
    "street furniture",
    "produce",
    "dish",
    "staple",
    "beverage",
    "vessel",
    "utensil",
    "decoration",
    "vehicle",
    "building",
}

# Where something flies, only another thing that can may stand for these.
FLYERS = {"bird", "kite", "airplane", "helicopter", "balloon"}

# Where another word of the caption begins so, the scene is the noun's own.
TIED_STEMS = {
    "athlete": ("surf", "ski", "skat", "snow", "wave", "slope", "ramp", "bik", "bicycl", "cycl"),
    "board": ("surf", "ski", "skat", "snow", "wave", "ramp", "rail"),
    "sports gear": ("tennis", "baseball", "soccer", "basketball", "swing", "serv", "pitch"),
    "place on": ("surf", "ski", "tennis", "baseball", "wave"),
    "headgear": ("baseball", "batt"),
    "utensil": ("brush", "teeth", "paint"),
}

# Gendered nouns whose replacement must take its pronouns along.
FEMALE = {"woman", "girl", "lady", "female", "mother", "mom", "wife", "bride", "waitress"}
MALE = {"man", "boy", "guy", "gentleman", "male", "dude", "father", "dad", "husband", "groom"}

TRAINS = {"train"}
BOATS = {"boat"}

# What things lie on, and what they lie in: "in a bed" but "on a couch".
ON = {"plate", "platter", "tray", "couch", "bench", "table", "desk", "shelf", "floor", "counter"}
IN = {"bowl", "cup", "bottle", "glass", "box", "basket", "bag", "jar", "pot"}

# What may be said to be full "of" something.
HOLDERS = {
    *IN,
    *("plate", "platter", "tray", "cup", "mug", "pan", "suitcase", "backpack", "container"),
}

# Named before "player" or "game", or played.
SPORTS = ("tennis", "baseball", "soccer", "basketball", "football", "hockey")
FREQUENT_SPORTS = ("tennis", "baseball", "soccer")
PLAYED = {"player", "players", "game", "games", "match", "team", "teams", "tournament", "practice"}
