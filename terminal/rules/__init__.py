"""The rules of the regulation, one subject a file: each looks at a Scene and yields findings.

Rules are pure and total, ask nobody and remember nothing. Which rule speaks when is for terminal/decision.py;
RULES.md lists them with their numbers in the regulation.
"""
