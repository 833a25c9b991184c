"""The simulated shop's randomised e-mail campaign, and the ratings that customers leave."""

import numpy as np
import pandas as pd

SENT = pd.Timestamp("2024-10-07")  # customers who had bought by this day took part
ARMS = ("control", "newsletter", "voucher")
# what an e-mail adds to the chance of a visit and, after a visit, of an order; what it does to the money of an order
EFFECTS = pd.DataFrame(
    {"visit": [0.0, 0.07, 0.10], "conversion": [0.0, 0.02, 0.08], "spend": [1.0, 1.0, 0.92]}, index=ARMS
)


def simulate_campaign(rng: np.random.Generator, past: pd.DataFrame) -> pd.DataFrame:
    """The outcomes of fourteen days after a three-arm e-mail campaign, as the e-mail tool reports them.

    Parameters
    ----------
    past : DataFrame
        One row a customer who took part: `customer_id`, `past_orders`, `past_spend` before `SENT`.

    Returns
    -------
    DataFrame
        `unit_id`, `variant`, `exposed_at`, `past_orders`, `past_spend`, `visit`, `conversion`, `spend`.
    """
    arm = rng.integers(0, len(ARMS), len(past))
    effect = EFFECTS.iloc[arm].reset_index(drop=True)
    warmth = np.log1p(past["past_orders"].to_numpy())
    visit = rng.random(len(past)) < np.clip(0.10 + 0.06 * warmth + effect["visit"], 0, 1)
    conversion = visit & (rng.random(len(past)) < np.clip(0.14 + 0.05 * warmth + effect["conversion"], 0, 1))
    usual = past["past_spend"].to_numpy() / past["past_orders"].to_numpy()
    spend = np.where(conversion, usual * rng.lognormal(-0.08, 0.4, len(past)) * effect["spend"], 0.0)
    return pd.DataFrame(
        {
            "unit_id": past["customer_id"],
            "variant": np.array(ARMS)[arm],
            "exposed_at": SENT + pd.to_timedelta(rng.integers(7 * 3600, 9 * 3600, len(past)), unit="s"),
            "past_orders": past["past_orders"],
            "past_spend": past["past_spend"].round(2),
            "visit": visit.astype("int64"),
            "conversion": conversion.astype("int64"),
            "spend": np.round(spend, 2),
        }
    ).sort_values("unit_id", ignore_index=True)


def simulate_ratings(rng: np.random.Generator, bought: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """One to five stars for a part of what was bought: own and product bias, and noise.

    Parameters
    ----------
    bought : DataFrame
        `customer_id`, `product_id` and `ordered_at` of each customer's first order of each product.
    end : Timestamp
        The log ends here; later ratings are not in it.
    """
    rated = bought[rng.random(len(bought)) < 0.3].reset_index(drop=True)
    customer, product = rated["customer_id"].factorize()[0], rated["product_id"].factorize()[0]
    level = 3.9 + rng.normal(0, 0.45, customer.max() + 1)[customer] + rng.normal(0, 0.5, product.max() + 1)[product]
    rated["rating"] = np.clip(np.rint(level + rng.normal(0, 0.7, len(rated))), 1, 5).astype("int64")
    rated["rated_at"] = rated.pop("ordered_at") + pd.to_timedelta(
        rng.integers(2 * 86400, 21 * 86400, len(rated)), unit="s"
    )
    rated = rated[rated["rated_at"] < end]
    return rated.sort_values(["rated_at", "customer_id", "product_id"], ignore_index=True)
