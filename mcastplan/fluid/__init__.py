"""Rates over time: arcs, weights, bytes, and max-min fairness. Knows no scheme and no transfer."""

from mcastplan.fluid.engine import Finished, Fluid, left
from mcastplan.fluid.rates import max_min

__all__ = ["Finished", "Fluid", "left", "max_min"]
