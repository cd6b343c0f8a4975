"""Start-ups of real servers (kv_logs.csv), and the deployment that predicts each."""
import pandas as pd

from ..facts import facts
from ..sizing import Deployment, Model


def logged_servers():
    """The start-ups whose log tells version, weights, share of memory and tokens, on cards
    of gpus.csv and without pipeline stages (which print one stage's memory)."""
    logs = facts("kv_logs")
    told = logs[["weights_gib", "gpu_memory_utilization", "kv_tokens"]].notna().all(axis=1)
    version = logs["engine_version"].str.fullmatch(r"0\.\d+\.\d+", na=False).astype(bool)
    known = logs["gpu"].isin(facts("gpus")["name"]) & (logs["pipeline_parallel"] == 1)
    return logs[told & version & known].reset_index(drop=True)


def deployed(row, weights=True):
    """The `Deployment` of a logged start-up, its settings as logged where they are; the
    weights as logged, or estimated from the parameters."""
    minor = row["engine_version"].split(".")[1]
    settings = {name: 0 if pd.isna(row[name]) else int(row[name])
                for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens")}
    return Deployment(Model.named(row["shape"]), row["gpu"], int(row["n_gpus"]),
                      row["weights_gib"] * row["n_gpus"] if weights else 0.0,
                      row["gpu_memory_utilization"], f"vllm-0.{minor}", **settings)


def cache_dtype(row):
    """What a logged server stores K and V in: fp8 if asked, else the type of its weights,
    which is of 16 bits for all but float32."""
    if row["kv_cache_dtype"] == "fp8":
        return "fp8"
    return "fp32" if row["weights_dtype"] == "float32" else "fp16"


def predictions(servers, weights=True):
    """A row for each start-up: its name, model, GPUs, logged and predicted tokens."""
    rows = [row for _, row in servers.iterrows()]
    return pd.DataFrame({
        "server": [row["id"] for row in rows], "model": [row["model"] for row in rows],
        "gpu": [row["gpu"] for row in rows], "n_gpus": [int(row["n_gpus"]) for row in rows],
        "logged_tokens": [int(row["kv_tokens"]) for row in rows],
        "predicted_tokens": [deployed(row, weights).token_slots(cache_dtype(row))
                             for row in rows]})
