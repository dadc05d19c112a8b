"""The maintenance console: what staff do to a terminal over a serial line, by hand or by a laptop's tool.

A process of its own, because it is needed most when the terminal's has crashed. It asks the others over their
control sockets alone (config/CONTROL.md); commands.py has what it can be told, and other packages add to that
by the entry-point group `campusgate.console`.
"""
