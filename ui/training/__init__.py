"""A page for operators: the training runs, with their curves while they go on."""

from ui.training.routes import build_router

__all__ = ["build_router"]
