"""What others measured: recordings replayed, start-ups predicted, the article's claims judged."""
from .ledger import judge, ledger, paper_gains, sharing
from .recording import recorded, replay
from .startups import deployed, logged_servers, predictions
