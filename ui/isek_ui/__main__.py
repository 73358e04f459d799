"""``python -m isek_ui``."""

from isek_ui.main import main

main()
