"""The simulated shop's range: categories, names that read like a catalogue, prices and popularity."""

import numpy as np
import pandas as pd

# category: (median price, styles, things)
RANGE: dict[str, tuple[float, tuple[str, ...], tuple[str, ...]]] = {
    "Candles": (7.0, ("Beeswax", "Fig & Cedar", "Linen", "Sea Salt", "Winter Spice"),
                ("Pillar Candle", "Tea Lights, Box of 12", "Travel Candle", "Candle Holder", "Wax Melts")),
    "Kitchen": (14.0, ("Stoneware", "Enamel", "Oak", "Speckled", "Copper"),
                ("Mixing Bowl", "Jug", "Chopping Board", "Storage Jar", "Colander")),
    "Table": (9.0, ("Indigo", "Sage", "Terracotta", "White", "Ochre"),
              ("Dinner Plate", "Soup Bowl", "Mug", "Napkins, Set of 4", "Serving Platter")),
    "Textiles": (24.0, ("Linen", "Wool", "Waffle", "Striped", "Quilted"),
                 ("Cushion", "Throw", "Bath Towel", "Apron", "Tea Towels, Pair")),
    "Garden": (16.0, ("Galvanised", "Terracotta", "Willow", "Cast Iron", "Bamboo"),
               ("Planter", "Watering Can", "Hanging Basket", "Bird Feeder", "Trug")),
    "Lighting": (32.0, ("Brass", "Rattan", "Smoked Glass", "Paper", "Ceramic"),
                 ("Table Lamp", "Pendant Shade", "Fairy Lights", "Wall Light", "Lantern")),
    "Stationery": (5.0, ("Botanical", "Marbled", "Recycled", "Letterpress", "Gilded"),
                   ("Notebook", "Greeting Cards, Pack of 6", "Wrapping Paper", "Desk Diary", "Pencil Set")),
    "Storage": (18.0, ("Seagrass", "Felt", "Wire", "Canvas", "Pine"),
                ("Basket", "Box with Lid", "Wall Shelf", "Laundry Bag", "Coat Hooks")),
    "Bath": (8.0, ("Lavender", "Oatmeal", "Eucalyptus", "Rose", "Charcoal"),
             ("Hand Soap", "Bath Salts", "Body Brush", "Soap Dish", "Hand Cream")),
    "Christmas": (6.0, ("Felt", "Glass", "Wooden", "Silver", "Folk Art"),
                  ("Tree Decoration", "Wreath", "Stocking", "Advent Calendar", "Garland")),
}  # fmt: skip


def simulate_products(rng: np.random.Generator) -> pd.DataFrame:
    """The shop's 250 products.

    Returns
    -------
    DataFrame
        `product_id`, `description`, `category`, `price` (two decimals, log-normal around the category's median) and
        `popularity` (Zipf weights in a random order, summing to one within a category).
    """
    rows = [
        (category, f"{style} {thing}", median)
        for category, (median, styles, things) in RANGE.items()
        for style in styles
        for thing in things
    ]
    products = pd.DataFrame(rows, columns=["category", "description", "median"])
    products.insert(0, "product_id", [f"P{number:04d}" for number in range(1, len(products) + 1)])
    price = products.pop("median").to_numpy() * rng.lognormal(0.0, 0.35, len(products))
    products["price"] = np.maximum(np.round(price * 4) / 4 - 0.01, 0.49).round(2)
    each = len(products) // len(RANGE)
    zipf = 1 / np.arange(1, each + 1) ** 0.9
    products["popularity"] = np.concatenate([rng.permutation(zipf / zipf.sum()) for _ in RANGE])
    return products
