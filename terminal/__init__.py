"""The gate terminal. The domain comes first and does no I/O (codes, policy, decision); around it stand the
roster, the journal, the scanner, the portal and the screen; `app` wires them. No network anywhere in it.
"""
