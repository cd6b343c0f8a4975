"""How many seconds an iteration takes on a GPU limited by its memory or its arithmetic."""
from dataclasses import dataclass

import numpy as np

from ..facts import fact
from ..parameter import number, positive_int


@dataclass(frozen=True)
class Clock:
    """What an iteration has to read and to compute: the weights and every cached token are read
    once, or every parameter is multiplied with every token that passes, whichever takes longer;
    `efficiency` of the published peak is reached. Host time, which no roofline sees, is added."""

    weight_bytes: float
    parameters: float  # that each token meets
    kv_bytes_per_token: float  # read over all GPUs
    bandwidth_bytes_per_s: float
    flops_per_s: float
    efficiency: float = 0.74  # median of 143 measured points, kernels.csv
    host_s_per_iteration: float = 0.0
    host_s_per_request: float = 0.0

    def __post_init__(self):
        """Check every field."""
        for name in self.__dataclass_fields__:
            number(name, getattr(self, name))
        for name in ("bandwidth_bytes_per_s", "flops_per_s", "efficiency"):
            if not getattr(self, name):
                raise ValueError(f"{name}=0: must be more than 0")

    @classmethod
    def of(cls, model, gpu, n_gpus=1, bandwidth_gb_s=0.0, tflops=0.0, **settings):
        """A model on so many equal GPUs, whose bandwidths and flops add up: talk between them
        takes no time. 0 is the GPU's own in gpus.csv; ValueError for what is unknown."""
        gpus = positive_int("n_gpus", n_gpus, most=1024)
        bandwidth, flops = speed(gpu, bandwidth_gb_s, tflops)
        if model.unknown_weights or not model.params_billion > 0:
            raise ValueError(f"model={model.name!r}: " + (
                model.unknown_weights or "must be one whose number of parameters is known; "
                "without it weights would be read in no time"))
        parameters = model.params_billion * 1e9
        return cls(weight_bytes=model.checkpoint_bytes or 2 * parameters, parameters=parameters,
                   kv_bytes_per_token=model.kv_bytes_on(gpus, 1, "auto"),
                   bandwidth_bytes_per_s=gpus * bandwidth * 1e9,
                   flops_per_s=gpus * flops * 1e12, **settings)

    def seconds(self, tokens, cached_tokens, running):
        """Seconds of an iteration in which `tokens` pass the layers (a prompt whole, one for
        each decoding request) and the keys and values of `cached_tokens` are read; arrays too."""
        larger = max if isinstance(tokens, int) else np.maximum
        layers = larger(self.weight_bytes / self.bandwidth_bytes_per_s,
                        2 * self.parameters * tokens / self.flops_per_s)
        cache = cached_tokens * self.kv_bytes_per_token / self.bandwidth_bytes_per_s
        host = self.host_s_per_iteration + running * self.host_s_per_request
        return (layers + cache) / self.efficiency + host


def speed(gpu, bandwidth_gb_s, tflops):
    """GB/s and fp16 TFLOPS of one GPU: those given, or for 0 those of gpus.csv."""
    given = number("bandwidth_gb_s", bandwidth_gb_s, most=1e6), number("tflops", tflops, most=1e6)
    if all(given):
        return given
    card = fact("gpus", "gpu", gpu, "; or tell its bandwidth_gb_s and tflops")
    if not (given[1] or card["fp16_tflops"] > 0):
        raise ValueError(f"gpu={gpu!r}: its flops are not in gpus.csv; tell its tflops")
    return given[0] or card["bandwidth_gb_s"], given[1] or card["fp16_tflops"]
