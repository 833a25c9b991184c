"""The simulated shop, whose truth is known: customers, orders, ratings and randomised tests.

`simulate_shop` makes one in memory, `write_shop` one of any size on disk. `purchasing`, `products`, `choice`,
`experiments` and `faults` hold its parts.
"""

from customerlab.data.simulate.files import write_shop
from customerlab.data.simulate.shop import Shop, simulate_shop

__all__ = ["Shop", "simulate_shop", "write_shop"]
