"""Generators: llama.cpp in this process, transformers, or a server with the OpenAI protocol."""

from chatbot.generate.factory import build_generator
from chatbot.generate.protocol import Finish, Generation, Generator, OnPiece

__all__ = ["Finish", "Generation", "Generator", "OnPiece", "build_generator"]
