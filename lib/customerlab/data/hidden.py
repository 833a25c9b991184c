"""Names of columns that stand beside the canonical ones while a table is made: for messages, rules and money."""

TEXT, THERE = "__text_", "__there_"  # prefixes: a value of another type as text, and whether there is one
NUMBER = "__number_"  # prefix: a column of the source that is read as a number beside the canonical ones
OF_ORDER = "__of_order_"  # prefix: the money of such a column, where it stands for a whole order
SEVERAL = "__several__"  # whether an order has two amounts of a kind
PARTNER = "__partner_"  # prefix: whether a row has found its partner in a joined source
FOREIGN = "__foreign__"  # another currency than the entry's
