"""Campaigns: whom to contact with what, when, by which channel and for how much, and what it earned.

`message_log` reads the log of messages, with what customers ordered afterwards. `kpis` has rates, `attribution` caused
beside attributed revenue, `responses` effects by segment, offer and channel. `send_time`, `channels` and `cadence`
judge rules on later messages. `options` and `allocation` (its arithmetic in `allocation_path`) choose customers within
a budget, `plan` permits, holds out and exports, `strategy` has goals by segment. `bundles`, `content` and `rewards`
look at what is bought, which `purchases` fetches. `sentences` has what is said, `tables` what is shown.
"""

from customerlab.analysis.campaign.allocation import allocate, profit_by_budget, rivals
from customerlab.analysis.campaign.attribution import caused, caused_orders, credited
from customerlab.analysis.campaign.bundles import associations, choose_bundles
from customerlab.analysis.campaign.cadence import judge_cadence
from customerlab.analysis.campaign.channels import channel_balance, judge_channels
from customerlab.analysis.campaign.content import content_blocks
from customerlab.analysis.campaign.kpis import kpis, machine_opens
from customerlab.analysis.campaign.message_log import (
    first_reported,
    message_log,
    overlapping,
    responded,
    split_day,
    with_segments,
)
from customerlab.analysis.campaign.options import (
    budgets,
    closed,
    expected_profit,
    first_test,
    lacking,
    named,
    named_caps,
    options,
    permitted,
    send_hours,
    size_of_hold_out,
    spelt,
    unplanned,
)
from customerlab.analysis.campaign.plan import campaign_plan, for_tool, hold_out, nobody, rested
from customerlab.analysis.campaign.purchases import category_lines, frequent_lines, placed, prices, product_names
from customerlab.analysis.campaign.responses import effects, pooled, profits, saved, valued, worth_of_an_order
from customerlab.analysis.campaign.rewards import RewardRule, next_tier, simulate_rewards
from customerlab.analysis.campaign.send_time import hours_of_day, judge_times
from customerlab.analysis.campaign.sentences import (
    by_bundles,
    by_cadence,
    by_caused,
    by_channels,
    by_content,
    by_first_test,
    by_hold_out,
    by_name,
    by_next_tier,
    by_opens,
    by_orders,
    by_overlap,
    by_plan,
    by_responses,
    by_rewards,
    by_times,
)
from customerlab.analysis.campaign.strategy import strategy
from customerlab.analysis.campaign.tables import (
    bundle_tables,
    cadence_table,
    caused_table,
    channel_tables,
    content_table,
    kpi_table,
    orders_table,
    plan_tables,
    profit_table,
    response_table,
    reward_table,
    strategy_table,
    time_tables,
)

__all__ = [
    "RewardRule", "allocate", "associations", "budgets", "bundle_tables", "by_bundles", "by_cadence", "by_caused",
    "by_channels", "by_content", "by_first_test", "by_hold_out", "by_name", "by_next_tier", "by_opens",
    "by_orders", "by_overlap", "by_plan", "by_responses", "by_rewards", "by_times", "cadence_table",
    "campaign_plan", "category_lines", "caused", "caused_orders", "caused_table", "channel_balance",
    "channel_tables", "choose_bundles", "closed", "content_blocks", "content_table", "credited", "effects",
    "expected_profit", "first_reported", "first_test", "for_tool", "frequent_lines", "hold_out", "hours_of_day",
    "judge_cadence", "judge_channels", "judge_times", "kpi_table", "kpis", "lacking", "machine_opens",
    "message_log", "named", "named_caps", "next_tier", "nobody", "options", "orders_table", "overlapping",
    "permitted", "placed", "plan_tables", "pooled", "prices", "product_names", "profit_by_budget", "profit_table",
    "profits", "responded", "response_table", "rested", "reward_table", "rivals", "saved", "send_hours",
    "simulate_rewards", "size_of_hold_out", "spelt", "split_day", "strategy", "strategy_table", "time_tables",
    "unplanned", "valued", "with_segments", "worth_of_an_order",
]  # fmt: skip
