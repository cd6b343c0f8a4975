"""What a token of KV cache costs, and what GPUs have left for it beside a model."""
from .deployment import Deployment, budget, remarks, report
from .engine import Engine
from .model import BYTES_PER_VALUE, GIB, KIB, MIB, Model
from .scheme import said_scheme
