"""Start-ups of real servers (kv_logs.csv), and the deployment that predicts each."""
import pandas as pd

from ..facts import facts
from ..sizing import GIB, Deployment, Model, said_scheme


def logged_servers():
    """Start-ups of known engines, cards and models whose log tells share of memory and tokens; not
    pipeline stages, which print one stage's memory. `scheme` is how the weights are stored."""
    logs = facts("kv_logs").query("pipeline_parallel == 1 and kv_tokens > 0")
    logs = logs[logs["gpu"].isin(facts("gpus")["name"])]
    logs = logs.dropna(subset=["engine", "shape", "gpu_memory_utilization"])
    return logs.reset_index(drop=True).assign(scheme=[
        said_scheme(f"{row.model} {row.weights_dtype} {row.shape}".replace("/", " "))
        for row in logs.itertuples()])


def deployed(row, weights=True):
    """The `Deployment` of a logged start-up; its weights as logged, or by their scheme."""
    settings = {name: 0 if pd.isna(row[name]) else int(row[name])
                for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens")}
    shape, scheme = row["shape"], row["scheme"]
    if not weights and scheme and not said_scheme(shape):
        shape = f"{shape}-{scheme}"
    return Deployment(Model.named(shape), row["gpu"], int(row["n_gpus"]),
                      row["weights_gib"] * row["n_gpus"] if weights else 0.0,
                      row["gpu_memory_utilization"], row["engine"], **settings)


def predictions(servers, weights=True):
    """A row for each start-up: what it ran, how its weights are stored, logged and predicted
    tokens and their range; only those with logged weights, or all with estimated ones."""
    found = []
    known = servers.query("weights_gib > 0" if weights else "weights_dtype != 'float32'")
    for _, row in known.iterrows():
        d, dtype = deployed(row, weights), row["kv_cache_dtype"]
        low, high = d.token_range(dtype)
        hard, scheme = d.model.image_tokens or "GB10" in d.gpu, row["scheme"]
        found.append({
            "server": row["id"], "model": row["model"], "gpu": row["gpu"],
            "n_gpus": int(row["n_gpus"]), "engine": row["engine"], "era": d.rules.era,
            "weights": scheme or "16 bits",
            "kind": "images or shared memory" if hard else "quantised" if scheme else "16 bits",
            "logged_tokens": int(row["kv_tokens"]), "predicted_tokens": d.token_slots(dtype),
            "least_tokens": low, "most_tokens": high,
            "kv_gib": d.kv_budget_bytes / GIB / d.n_gpus})
    return pd.DataFrame(found)
