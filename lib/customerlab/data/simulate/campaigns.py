"""Campaigns of the simulated shop: weekly messages to subscribers, a quarter of them held out at random.

Whom a campaign is for, who of them is held out, the channel and the hour of each message are drawn at random, so that
comparisons of them are causal. A message is clicked, or a letter taken up, with a chance of the segment and the channel
(`CLICKED`), at full attention; attention falls as in the tests. Every message received in the four weeks before
multiplies the chance by `TIRED`, and the slot of the day that a customer prefers by `BEST`. Who clicked orders with a
chance of the segment and the offer (`ORDERED`): an order that would not have been placed otherwise, beside all others.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customerlab.data.simulate.experiments import BEHAVIOUR, TESTS, Units, participants
from customerlab.data.simulate.purchasing import DAYS, START, Calendar, Customers, Orders, seconds

DAY = 86400
COLUMNS = ["campaign_id", "name", "offer"]  # what the shop knows of a campaign
FIRST, LAST = pd.Timestamp("2024-01-09"), pd.Timestamp("2024-12-15")
WEEK = 7  # days for which messages work and orders are attributed to them
TESTED = 28  # days from the first mails of a test that campaigns leave alone
HELD_OUT = 0.25  # share of a campaign's customers
AUDIENCE = (0.6, 0.8)  # share of the subscribers whom a campaign is for, drawn for each
CHANNELS, CHANNEL_SHARES = ("email", "text", "letter"), (0.5, 0.3, 0.2)
EMAIL, TEXT, LETTER = range(3)
OFFERS = ("new range", "voucher", "free delivery")
MONEY = np.array([1.0, 0.9, 1.0])  # what an offer multiplies the money of an order by
SLOTS = ("08–12", "12–16", "16–20", "20–24")
SLOT, OPENS_AT = 4 * 3600, 8 * 3600  # seconds of a slot; when the first begins
MINUTE = (
    60  # within which a message is clicked; in the last of a slot nothing is opened, so that the click is in it too
)
PREFERRED = np.array(  # mean shares of `SLOTS`, by segment
    [[0.20, 0.20, 0.25, 0.35], [0.15, 0.20, 0.20, 0.45], [0.20, 0.40, 0.25, 0.15], [0.20, 0.20, 0.35, 0.25], [0.50, 0.25, 0.15, 0.10]]
)  # fmt: skip
STRENGTH = 2.0  # sum of the Dirichlet parameters of a customer's shares: the smaller, the more personal
BEST = 1.3  # factor on opening and clicking what was sent in the slot that the customer prefers most; not on letters
TIRED = np.exp(-0.15)  # factor for every message received in the `PRESSURE` days before
PRESSURE = 28
NEVER = -PRESSURE * DAY  # a moment that is in no such days
UNSUBSCRIBED = 0.002  # chance for each message, divided by `TIRED` for every message received before
MACHINE = 0.15  # share of e-mails that a machine opens within two seconds
# chances at full attention of clicking, by segment and channel, and of ordering after a click, by segment and offer;
# those of opening an e-mail are those of the tests, and no e-mail is clicked that was not opened
CLICKED = np.array([[0.32, 0.12, 0.12], [0.10, 0.38, 0.10], [0.14, 0.10, 0.42], [0.06, 0.20, 0.06], [0.16, 0.10, 0.08]])
ORDERED = np.array([[0.40, 0.24, 0.28], [0.14, 0.46, 0.28], [0.16, 0.46, 0.30], [0.10, 0.30, 0.15], [0.0, 0.0, 0.0]])


def schedule(seed: int) -> pd.DataFrame:
    """The campaigns of the shop with this seed, row by row in the order of time.

    Every Tuesday, but where the days in which a message works touch the four weeks of a test. The offers take turns,
    in another order each time.

    Returns
    -------
    DataFrame
        `campaign_id`, `name`, `offer`, `day` (of the calendar), `share` (of the subscribers whom it is for).

    Examples
    --------
    >>> schedule(1)["name"].str[:10].iloc[[0, 7, -1]].tolist()
    ['2024-01-09', '2024-04-02', '2024-12-10']
    """
    rng = np.random.default_rng([seed, 4])
    weeks = pd.date_range(FIRST, LAST, freq="7D")
    for sent, _ in TESTS.values():
        weeks = weeks[(weeks + pd.Timedelta(days=WEEK) < sent) | (weeks >= sent + pd.Timedelta(days=TESTED))]
    turns = rng.permuted(np.tile(OFFERS, (-(-len(weeks) // len(OFFERS)), 1)), axis=1).ravel()[: len(weeks)]
    names = weeks.strftime("%Y-%m-%d ") + turns
    ids = [f"M{number:02d}" for number in range(1, len(weeks) + 1)]
    shares = rng.uniform(*AUDIENCE, len(weeks))
    days = (weeks - START).days
    return pd.DataFrame({"campaign_id": ids, "name": names, "offer": turns, "day": days, "share": shares})


def simulate_slots(rng: np.random.Generator, segment: np.ndarray) -> np.ndarray:
    """Shares of `SLOTS` in which each customer opens messages, of shape (customers, slots): Dirichlet draws."""
    shares = rng.standard_gamma(STRENGTH * PREFERRED[segment]) + 1e-12
    return shares / shares.sum(axis=1, keepdims=True)


def clicks(
    units: Units, channel: np.ndarray, *, best: np.ndarray, received: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The chances that messages are opened (if e-mails) and that they are clicked.

    `best` is whether each is sent in the unit's best slot, `received` the number of messages in the weeks before.
    """
    factor = units.attention * TIRED**received * np.where(best & (channel != LETTER), BEST, 1.0)
    return factor * BEHAVIOUR["open"].to_numpy()[units.segment], factor * CLICKED[units.segment, channel]


def simulate_campaign(
    rng: np.random.Generator, units: Units, slots: np.ndarray, earlier: np.ndarray, day: int, offer: str, time: Calendar
) -> pd.DataFrame:
    """Send a campaign to units on a day, and draw what becomes of each message.

    Parameters
    ----------
    slots : array of shape (units, slots)
        As `simulate_slots` draws them.
    earlier : array of shape (campaigns, units)
        When each unit received a message of earlier campaigns, in seconds since the beginning of the log.

    Returns
    -------
    DataFrame
        Row by row of `units`: `channel` (place in `CHANNELS`), `held_out`, `sent`, `opened`, `clicked`,
        `unsubscribed` and `converted` in seconds since the beginning of the log, -1 where it did not happen, and
        `value` of the order. Held-out rows have no values but when the message would have been sent.
    """
    size, place = len(units), OFFERS.index(offer)
    held_out, channel = rng.random(size) < HELD_OUT, rng.choice(len(CHANNELS), size, p=CHANNEL_SHARES)
    slot = rng.integers(0, len(SLOTS), size)
    sent = day * DAY + OPENS_AT + slot * SLOT + rng.integers(0, SLOT - 2 * MINUTE, size)
    received = (earlier > sent - PRESSURE * DAY).sum(axis=0)
    opens, reads = clicks(units, channel, best=slot == slots.argmax(axis=1), received=received)
    luck = rng.random(size)  # one draw for both, so that who clicks has opened
    seen = _seen(rng, sent + DAY * (channel == LETTER), slots)  # a letter takes a day
    by_machine, clicked = rng.random(size) < MACHINE, luck < reads
    bought = clicked & (rng.random(size) < ORDERED[units.segment, place])
    left = rng.random(size) < UNSUBSCRIBED / TIRED**received
    value = units.meant * MONEY[place] * rng.lognormal(-0.08, 0.4, size)  # of mean one, as in the tests

    def moment(happened: np.ndarray, when: np.ndarray) -> np.ndarray:
        return np.where(happened & ~held_out, when, -1)

    return pd.DataFrame(
        {
            "channel": moment(channel >= 0, channel),
            "held_out": held_out,
            "sent": sent,
            "opened": moment(
                (channel == EMAIL) & (by_machine | (luck < opens)),
                np.where(by_machine, sent + rng.integers(0, 3, size), seen),
            ),
            "clicked": moment(clicked & (channel != LETTER), seen + rng.integers(3, MINUTE, size)),
            "unsubscribed": moment(left, seen),
            "converted": moment(bought, _ordered(rng, seen, time)),
            "value": np.round(value, 2),
        }
    )


def _seen(rng: np.random.Generator, there: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """A moment in the next slot, of those that each prefers, after the message is there."""
    drawn = (rng.random((len(there), 1)) > slots.cumsum(axis=1)[:, :-1]).sum(axis=1)
    begin = there // DAY * DAY + OPENS_AT + drawn * SLOT
    begin += DAY * (begin + SLOT <= there)
    end, begin = begin + SLOT - MINUTE, np.maximum(begin, there + 3)
    return begin + np.floor(rng.random(len(there)) * np.maximum(end - begin, 1)).astype("int64")


def _ordered(rng: np.random.Generator, seen: np.ndarray, time: Calendar) -> np.ndarray:
    """When those order who have seen a message, at the shop's hours: before the next campaign begins."""
    day = seen // DAY + np.minimum(rng.exponential(1.2, len(seen)), WEEK - 3).astype("int64")
    moment = day * DAY + seconds(rng, day, time)
    return np.where(moment <= seen + MINUTE, seen + rng.integers(MINUTE, 3600, len(seen)), moment)


@dataclass
class Programme:
    """The campaigns of a part of a shop, sent one after the other; `rows` holds what was sent so far."""

    rng: np.random.Generator
    campaigns: pd.DataFrame  # as `schedule` has them
    customers: Customers
    subscribed: np.ndarray  # of bool, whether each customer can be written to; falls with who unsubscribes
    time: Calendar
    rows: list[pd.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subscribed = self.subscribed.copy()
        self.slots = simulate_slots(self.rng, self.customers.segment)
        self.received = np.full((len(self.campaigns), len(self.customers)), NEVER)  # when, by campaign

    def send(self, orders: Orders, natural: Orders, until: pd.Timestamp) -> Orders:
        """Send what was not sent yet and begins before a day; `orders` with those that it caused.

        The orders of a campaign are marked by its row, counted on from the tests.
        """
        due = self.campaigns[self.campaigns["day"] < (until - START).days]
        for row, _, _, offer, day, share in due.iloc[len(self.rows) :].itertuples():
            units, members = participants(orders, natural, self.customers, START + pd.Timedelta(days=day))
            chosen = self.subscribed[members] & (self.rng.random(len(members)) < share)
            units, members = Units(*(column[chosen] for column in vars(units).values())), members[chosen]
            earlier = self.received[:, members]
            table = simulate_campaign(self.rng, units, self.slots[members], earlier, day, offer, self.time)
            self.rows.append(table.assign(customer=members, row=row))
            self.subscribed[members[table["unsubscribed"] >= 0]] = False
            self.received[row, members] = np.where(table["held_out"], NEVER, table["sent"])
            orders = _placed(orders, self.rows[-1], units.state)
        return orders

    def messages(self, orders: Orders, paid: np.ndarray) -> pd.DataFrame:
        """All rows, with the `revenue` that the mail tool attributes: each order's to the last message before it.

        `paid` is what each of the orders brought.
        """
        table = pd.concat(self.rows, ignore_index=True)
        mailed = table[~table["held_out"]].sort_values(["customer", "sent"])
        # one scale of time for each customer, so far apart that no week reaches from one to the next
        moments = mailed["customer"].to_numpy() * 2 * DAYS * DAY + mailed["sent"].to_numpy()
        since = orders.customer * 2 * DAYS * DAY + orders.moment
        last = np.searchsorted(moments, since) - 1
        within = (last >= 0) & (since - moments[last] < WEEK * DAY)
        money = np.bincount(last[within], paid[within], minlength=len(mailed))
        return table.assign(revenue=pd.Series(money.round(2), mailed.index))

    def truth(self) -> pd.DataFrame:
        """What one message does to each customer at full attention and without others before it, row by row.

        Columns `best_slot`, `best_channel`, the share of each slot, and for each offer and channel, such as
        `voucher_email`, the expected extra orders and revenue (`_orders`, `_revenue`) at an hour drawn at random.
        """
        size = len(self.customers)
        none, usual = np.zeros(size, dtype="int64"), self.customers.usual
        units = Units(self.customers.segment, none, none, none, none, usual)
        slot, channel = self.slots.argmax(axis=1), CLICKED[units.segment].argmax(axis=1)
        shares = {name: self.slots[:, place] for place, name in enumerate(SLOTS)}
        columns = {"best_slot": np.array(SLOTS)[slot], "best_channel": np.array(CHANNELS)[channel], **shares}
        for place, offer in enumerate(OFFERS):
            for by, name in enumerate(CHANNELS):
                hours = [
                    clicks(units, np.full(size, by), best=slot == at, received=none)[1] for at in range(len(SLOTS))
                ]
                found = np.mean(hours, axis=0) * ORDERED[units.segment, place]
                both = {"orders": found, "revenue": found * units.meant * MONEY[place]}
                columns |= {f"{offer} {name} {what}".replace(" ", "_"): values for what, values in both.items()}
        return pd.DataFrame(columns)


def _placed(orders: Orders, table: pd.DataFrame, state: np.ndarray) -> Orders:
    """The orders, and beside them those that the messages of a campaign caused."""
    bought = (table["converted"] >= 0).to_numpy()
    day, second = np.divmod(table["converted"].to_numpy()[bought], DAY)
    mark = len(TESTS) + 1 + table["row"].to_numpy()[bought]
    added = (table["customer"].to_numpy()[bought], day, second, table["value"].to_numpy()[bought], state[bought], mark)
    own = (orders.customer, orders.day, orders.second, orders.value, orders.state, orders.test)
    return Orders.by_time(*(np.concatenate(both) for both in zip(own, added, strict=True)))
