"""What customers are worth: who is still active, how many orders and how much money are to be expected.

`summary` reads the log, `likelihood` has the models, `fitting` estimates them, `expected` says what follows.
"""
