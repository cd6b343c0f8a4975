"""What others measured: recordings replayed, start-ups predicted, the article's claims judged."""
from .ledger import judge, ledger, paper_gains, sharing
from .recording import recorded, replay
from .startups import by_class, deployed, logged_servers, predictions
