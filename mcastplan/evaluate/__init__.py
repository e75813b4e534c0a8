"""From plans to answers: loads, rates over time, completion, cold start, state, cost, bounds."""
