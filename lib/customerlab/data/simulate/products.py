"""The simulated shop's range: a tree of categories, catalogue names, prices, popularity, launches, planted pairs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.data.simulate.purchasing import DAYS

# department, category: (median price, days until it is used up, styles, things with what a catalogue says of them)
RANGE: dict[tuple[str, str], tuple[float, int, tuple[str, ...], dict[str, str]]] = {
    ("Home", "Candles"): (7.0, 60, (
        "Beeswax", "Fig & Cedar", "Linen", "Sea Salt", "Winter Spice", "Rosemary", "Amber", "Tomato Leaf", "Vanilla", "Peony"), {
        "Pillar Candle": "burns for 40 hours", "Tea Lights": "box of 12", "Travel Candle": "in a tin with lid",
        "Candle Holder": "hand thrown", "Wax Melts": "six cubes, soy wax", "Dinner Candles": "pair, non-drip",
        "Diffuser": "with eight reeds", "Snuffer": "long handle", "Room Spray": "100 ml", "Votive": "in coloured glass"}),
    ("Home", "Textiles"): (24.0, 0, (
        "Alpine", "Wool", "Waffle", "Striped", "Quilted", "Gingham", "Velvet", "Block Print", "Herringbone", "Crochet"), {
        "Cushion": "feather filled, 45 cm", "Throw": "fringed, 130 by 170 cm", "Bath Towel": "organic cotton, 600 g",
        "Apron": "adjustable neck", "Tea Towels": "pair, lint free", "Curtain": "tab top, lined", "Doormat": "60 by 90 cm",
        "Bath Mat": "non-slip", "Oven Glove": "double, heat proof", "Bedspread": "for a double bed"}),
    ("Home", "Lighting"): (32.0, 0, (
        "Brass", "Rattan", "Smoked Glass", "Paper", "Ceramic", "Marble", "Black Steel", "Cane", "Opal", "Raffia"), {
        "Table Lamp": "fabric cable, E27", "Pendant Shade": "30 cm across", "Fairy Lights": "40 warm LEDs, 5 m",
        "Wall Light": "dimmable", "Lantern": "for one pillar candle", "Floor Lamp": "150 cm, foot switch",
        "Night Light": "plugs in, amber", "Reading Lamp": "clips on", "Bulb": "filament, 4 W", "Ceiling Light": "flush, 28 cm"}),
    ("Home", "Storage"): (18.0, 0, (
        "Seagrass", "Felt", "Wire", "Canvas", "Pine", "Jute", "Tin", "Birch", "Leather", "Walnut"), {
        "Basket": "with handles, 20 litres", "Box with Lid": "stackable", "Wall Shelf": "fixings included",
        "Laundry Bag": "machine washable", "Coat Hooks": "row of five", "Drawer Tidy": "six compartments",
        "Shoe Rack": "three tiers", "Magazine File": "for A4", "Umbrella Stand": "with drip tray", "Crate": "40 by 30 cm"}),
    ("Kitchen", "Cooking"): (14.0, 0, (
        "Stoneware", "Enamel", "Oak", "Speckled", "Copper", "Cast Steel", "Olive Wood", "Glass", "Slate", "Beech"), {
        "Mixing Bowl": "two litres", "Jug": "one litre, dripless", "Chopping Board": "with juice groove",
        "Storage Jar": "airtight", "Colander": "with two handles", "Pie Dish": "26 cm, fluted", "Rolling Pin": "45 cm",
        "Utensil Pot": "15 cm high", "Egg Cups": "set of four", "Spice Rack": "for twelve jars"}),
    ("Kitchen", "Table"): (9.0, 0, (
        "Indigo", "Sage", "Terracotta", "Ivory", "Ochre", "Slate Blue", "Blush", "Charcoal", "Mustard", "Forest"), {
        "Dinner Plate": "27 cm, dishwasher safe", "Soup Bowl": "deep, 16 cm", "Mug": "350 ml",
        "Napkins": "set of four, washed cotton", "Serving Platter": "oval, 38 cm", "Side Plate": "20 cm", "Teapot": "1.2 litres",
        "Tumbler": "recycled glass", "Table Runner": "40 by 180 cm", "Milk Jug": "250 ml"}),
    ("Garden", "Outdoors"): (16.0, 0, (
        "Galvanised", "Clay", "Willow", "Cast Iron", "Bamboo", "Cedar", "Zinc", "Teak", "Terrazzo", "Wrought"), {
        "Planter": "with drainage, 25 cm", "Watering Can": "five litres", "Hanging Basket": "lined, with chain",
        "Bird Feeder": "for seeds and nuts", "Trug": "for harvest and weeds", "Trellis": "60 by 180 cm", "Bird Bath": "40 cm across",
        "Boot Brush": "with scraper", "Plant Labels": "twelve with pencil", "Garden Stool": "folds flat"}),
    ("Gifts", "Stationery"): (5.0, 90, (
        "Botanical", "Marbled", "Recycled", "Letterpress", "Gilded", "Map", "Polka Dot", "Kraft", "Woodland", "Celestial"), {
        "Notebook": "A5, dotted, 160 pages", "Greeting Cards": "pack of six with envelopes", "Wrapping Paper": "three sheets",
        "Desk Diary": "week to view", "Pencil Set": "twelve, HB", "Sticky Notes": "four pads", "Gift Tags": "bundle of ten",
        "Washi Tape": "three rolls", "Writing Set": "24 sheets", "Bookmark": "with tassel"}),
    ("Gifts", "Bath"): (8.0, 45, (
        "Lavender", "Oatmeal", "Eucalyptus", "Rose", "Charcoal", "Seaweed", "Almond", "Grapefruit", "Camomile", "Sandalwood"), {
        "Hand Soap": "500 ml, refillable", "Bath Salts": "from the Dead Sea, 400 g", "Body Brush": "natural bristle",
        "Soap Dish": "self draining", "Hand Cream": "75 ml tube", "Soap Bar": "triple milled", "Body Oil": "100 ml, pump",
        "Lip Balm": "in a pot", "Bath Bomb": "set of three", "Shampoo Bar": "for 60 washes"}),
    ("Gifts", "Christmas"): (6.0, 0, (
        "Snowy", "Glass", "Wooden", "Silver", "Folk Art", "Tartan", "Felt", "Gold Leaf", "Reindeer", "Robin"), {
        "Tree Decoration": "set of three", "Wreath": "35 cm across", "Stocking": "to be filled",
        "Advent Calendar": "24 drawers", "Garland": "two metres", "Crackers": "box of six", "Table Centre": "for four candles",
        "Gift Bag": "with ribbon", "Snow Globe": "musical", "Tree Skirt": "one metre across"}),
}  # fmt: skip
CATEGORIES = [f"{department} / {category}" for department, category in RANGE]
EACH = 100  # products a category
FESTIVE = CATEGORIES.index("Gifts / Christmas")
USED_UP = np.array(
    [days for _, days, _, _ in RANGE.values()]
)  # days that a product of each category lasts; 0: for good
LAUNCHED_LATE = 0.1  # share of products that come during the log
PAIRS = 40  # planted complements
ZIPF = 1.0  # exponent of popularity within a category
RETURN_SHAPE = 0.35  # of the Gamma distribution of products' proneness to be returned: many hardly ever, a few often


@dataclass(frozen=True)
class Assortment:
    """The shop's products, by category and within it."""

    table: pd.DataFrame  # `product_id`, `description`, `category`
    price: np.ndarray  # two decimals; log-normal around the category's median
    popularity: np.ndarray  # Zipf weights in a random order, summing to one within a category
    # of int: first day of the calendar on which it is sold; below zero for those there from the beginning
    launch: np.ndarray
    # of int: a product of the category that is there from the beginning, which is bought where this one is not yet
    instead: np.ndarray
    partner: np.ndarray  # of int: the product that is often bought with it; -1 where none is planted
    liking: np.ndarray  # what it adds to every rating of it, in stars
    # days after which it is used up and bought again by those who need it; zero for what lasts for good
    lasts: np.ndarray
    prone: np.ndarray  # factor on the chance of a return, one on average

    def __len__(self) -> int:
        return len(self.price)

    @property
    def complements(self) -> pd.DataFrame:
        """The planted pairs, each once: `product_id`, `partner_id`."""
        first = np.flatnonzero(self.partner > np.arange(len(self)))
        ids = self.table["product_id"].to_numpy()
        return pd.DataFrame({"product_id": ids[first], "partner_id": ids[self.partner[first]]})

    @property
    def traits(self) -> pd.DataFrame:
        """What no shop knows of its products: `product_id`, `popularity`, `launch`, `lasts`, `prone`, `liking`."""
        names = ("popularity", "launch", "lasts", "prone", "liking")
        return pd.DataFrame({"product_id": self.table["product_id"], **{name: getattr(self, name) for name in names}})


def simulate_products(rng: np.random.Generator) -> Assortment:
    """Draw the shop's 1,000 products."""
    rows = [
        (f"{department} / {category}", f"{style} {thing}, {says}", median)
        for (department, category), (median, _, styles, things) in RANGE.items()
        for style in styles
        for thing, says in things.items()
    ]
    table = pd.DataFrame(rows, columns=["category", "description", "median"])
    table.insert(0, "product_id", [f"P{number:04d}" for number in range(1, len(table) + 1)])
    price = table.pop("median").to_numpy() * rng.lognormal(0.0, 0.35, len(table))
    price = np.maximum(np.round(price * 4) / 4 - 0.01, 0.49).round(2)
    zipf = 1 / np.arange(1, EACH + 1) ** ZIPF
    popularity = np.concatenate([rng.permutation(zipf / zipf.sum()) for _ in RANGE])
    size = len(table)
    launch = np.where(rng.random(size) < LAUNCHED_LATE, rng.integers(60, DAYS - 60, size), -1)
    first = np.arange(size) // EACH * EACH
    launch[first] = -1  # so that every category has a product from the beginning
    # pairs among products that are there from the beginning and not the rarest, so that a log can show them
    able = np.flatnonzero((launch < 0) & (popularity > np.quantile(popularity, 0.5)))
    paired = rng.permutation(able)[: 2 * PAIRS].reshape(2, PAIRS)
    partner = np.full(size, -1)
    partner[paired[0]], partner[paired[1]] = paired[1], paired[0]
    liking = rng.normal(0, 0.5, size)
    lasts = np.repeat(USED_UP, EACH) * rng.lognormal(0.0, 0.3, size)
    prone = rng.gamma(RETURN_SHAPE, 1 / RETURN_SHAPE, size)
    columns = table[["product_id", "description", "category"]]
    return Assortment(columns, price, popularity, launch, first, partner, liking, lasts, prone)
