"""Whole questions: compare all schemes, show one scheme's tables, recommend."""
