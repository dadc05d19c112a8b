"""The gate's screen: a View says what people shall read, Window shows it; nothing here decides who passes."""

import os

# Set here because every module of the package passes through this line before pygame is imported.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
