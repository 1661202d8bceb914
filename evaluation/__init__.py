"""Matching, average precision, failures and their cost, intervals, fix rates."""
