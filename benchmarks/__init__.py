"""What ``make bench`` runs: budgets of time and memory. Never part of the test suite."""
