"""One file a device: a small Protocol, its real driver, and the simulated twin beside it.

Drivers are chosen by name in the settings and found by entry point (`campusgate.camera`,
`campusgate.thermal`), so a school adds a sensor without touching this tree. Nothing here decides anything.
"""
