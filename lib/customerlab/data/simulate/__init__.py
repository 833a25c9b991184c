"""The simulated shop: orders, ratings and a randomised campaign whose truth is known.

`simulate_shop` is the one entry; `products`, `orders` and `campaign` hold its parts.
"""

from customerlab.data.simulate.shop import Shop, simulate_shop, write_shop

__all__ = ["Shop", "simulate_shop", "write_shop"]
