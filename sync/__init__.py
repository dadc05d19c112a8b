"""The other process: it carries records from the journal to central and roster and policy back.

It has the network and no GPIO; with the terminal it shares only files. `sync.central` is the reference
server that a school runs.
"""
