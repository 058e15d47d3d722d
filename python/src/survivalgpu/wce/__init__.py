"""Weighted cumulative exposure: how past doses add up to today's risk.

Sylvestre and Abrahamowicz (2009), Statistics in Medicine 28:3437.
"""
