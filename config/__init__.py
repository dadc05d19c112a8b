"""Ground floor of campusgate: settings, durable files, device identity, the control socket, the command.

It imports none of the other packages and knows nothing of codes, cameras or records.
"""

VERSION = "0.1.0"
