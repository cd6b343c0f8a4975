"""A real language model in NumPy, and the loop that lets it write through pages."""
from .generator import Answer, Generator, beam_search
from .language_model import LanguageModel
