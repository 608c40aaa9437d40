"""The chat widget for other people's websites: one script, served with a page that shows it."""

from ui.widget.routes import build_router

__all__ = ["build_router"]
