"""An independent small model of a comparison, written from the contract: slow, short, exact.

It reads the values of a scenario and shares no code with the program that it is held against. Rates
and times are fractions, so that nothing here depends on rounding. Only ``ecmp: first``, PIM-SM in
SSM mode and SR-P2MP's shortest tree.
"""
