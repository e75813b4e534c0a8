"""Unicast routes, and the trees and cuts computed on the same integer graph."""
