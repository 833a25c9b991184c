"""What linear Thompson sampling costs for a million decisions: `make bench-bandit`.

Ten actions, twenty features, rewards of 0 and 1 with rates that are linear in the features. Ours chooses and learns in
batches of a thousand, with propensities. The loop is as usually written: for each decision, coefficients of each action
are drawn with the inverse of its matrix, and the matrix is updated. It runs for fewer decisions, its time is scaled, as
each decision costs the same. Each contender runs in a process of its own on two cores; the fastest of three runs of
ours counts. The regret of both is printed. The run fails where the promise is not kept.
"""

import argparse
import json
import sys
from typing import Any

import numpy as np
from harness import clocked, in_a_process, peak, two_cores

DECISIONS, FEWER, BATCH = 1_000_000, 5_000, 1_000
ACTIONS, FEATURES, NOISE = 10, 20, 0.5
TIMES = 20  # promised: at least so many times faster


def drawn(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features with a constant, the rate of each action, and what chance gives each decision."""
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(number), rng.uniform(-1, 1, (number, FEATURES - 1))])
    slopes = rng.uniform(-0.02, 0.02, (ACTIONS, FEATURES))
    slopes[:, 0] = rng.uniform(0.3, 0.7, ACTIONS)
    return x, x @ slopes.T, rng.random(number)


def ours(number: int) -> dict[str, Any]:
    """The library, in batches."""
    from customerlab.analysis.bandit.linear_policies import LinearPolicy

    x, rates, chance = drawn(number)

    def run() -> float:
        rng, policy = np.random.default_rng(2), LinearPolicy("linear thompson", ACTIONS, NOISE, features=FEATURES)
        lost = 0.0
        for begin in range(0, number, BATCH):
            rows = slice(begin, begin + BATCH)
            actions, _ = policy.choose(rng, x[rows])
            rate = rates[rows][np.arange(len(actions)), actions]
            policy = policy.update(actions, chance[rows] < rate, x[rows])
            lost += (rates[rows].max(axis=1) - rate).sum()
        return lost

    took, lost = clocked(run)
    return took | {"regret": lost}


def loop(number: int) -> dict[str, Any]:
    """A decision at a time, as in many tutorials (Agrawal and Goyal 2013, algorithm 1, for each action)."""
    x, rates, chance = drawn(number)

    def run() -> float:
        rng = np.random.default_rng(2)
        matrix, vector = [np.eye(FEATURES) for _ in range(ACTIONS)], [np.zeros(FEATURES) for _ in range(ACTIONS)]
        lost = 0.0
        for row in range(number):
            scores = []
            for action in range(ACTIONS):
                inverse = np.linalg.inv(matrix[action])
                mean = inverse @ vector[action]
                scores.append(x[row] @ rng.multivariate_normal(mean, NOISE**2 * inverse))
            action = int(np.argmax(scores))
            reward = float(chance[row] < rates[row, action])
            matrix[action] += np.outer(x[row], x[row])
            vector[action] += reward * x[row]
            lost += rates[row].max() - rates[row, action]
        return lost

    took, lost = clocked(run, repeats=1)
    return took | {"regret": lost}


CONTENDERS = {"ours": ours, "loop": loop}


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        name, number = words.contend
        print(json.dumps(CONTENDERS[name](int(number)) | {"peak": peak()}))
        return
    two_cores()
    print(f"## Linear Thompson sampling, {ACTIONS} actions, {FEATURES} features\n")
    print("| | decisions | seconds | seconds a million | CPU, s | peak GiB | regret a decision |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    scaled = {}
    for name, number in (("ours", DECISIONS), ("loop", FEWER)):
        run = in_a_process(__file__, name, str(number))
        scaled[name] = run["seconds"] * DECISIONS / number
        print(
            f"| {name} | {number:,} | {run['seconds']:.1f} | {scaled[name]:,.1f} | {run['cpu']:.1f} "
            f"| {run['peak']:.2f} | {run['regret'] / number:.4f} |",
            flush=True,
        )
    short = in_a_process(__file__, "ours", str(FEWER))
    print(f"\nOurs on the loop's {FEWER:,} decisions: regret {short['regret'] / FEWER:.4f} a decision.")
    times = scaled["loop"] / scaled["ours"]
    print(f"{times:,.0f} times faster; promised: at least {TIMES} times.")
    if times < TIMES:
        sys.exit("The promise is not kept.")


if __name__ == "__main__":
    main()
