"""Rates over time: arcs, weights, bytes, and max-min fairness. Knows no scheme and no transfer."""

from mcastplan.fluid.engine import Finished, Fluid
from mcastplan.fluid.rates import max_min

__all__ = ["Finished", "Fluid", "max_min"]
