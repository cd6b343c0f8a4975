"""The article's claims, each with its value, ours, and a verdict that is computed.

A claim holds as it stands, at the precision the article prints; or it holds under a condition that
we can name; or it is wrong."""
import numpy as np
import pandas as pd

from ..facts import facts
from ..paging import PagedRequest, PagePool, paged_utilisation, pages_for
from ..serving import POLICIES, Clock, Server, saturate, steady_state, throughput_of
from ..sizing import GIB, MIB, Model
from ..traffic import article_distribution, article_lengths, read_workload

PER_TOKEN = Model.named("32x32x128").kv_bytes_per_token()
PAGE_MIB = 16 * PER_TOKEN / MIB
LENGTHS, PROBABILITY = article_distribution()
SLOTS = 16 * (PROBABILITY @ pages_for(LENGTHS, 16))  # of a request's pages, on average


def judge(claim, article, ours, holds, holds_if=False, condition=""):
    """A row of the ledger."""
    verdict = "holds" if holds else f"holds {condition}" if holds_if else "wrong"
    return {"claim": claim, "article": article, "ours": ours, "verdict": verdict}


def as_printed(claim, article, ours):
    """A row of the ledger: the claim holds if ours is printed as the article prints it."""
    return judge(claim, article, ours, ours == article)


def sizing():
    """Bytes of a token; what 100 users waste, at the last token and over a life."""
    models = facts("models").query("survey")
    agree, mha = models["q_heads"] == models["kv_heads"], models["attention"] == "MHA"
    yield as_printed("bytes a token of its model takes", "524,288", f"{PER_TOKEN:,}")
    yield judge("a token takes 2 × layers × heads × dim × bytes", "in any model",
                f"in {agree.sum()} of {len(models)} models", agree.all(), agree[mha].all(),
                "for multi-head attention")
    mib = ", ".join(f"{n * PER_TOKEN / MIB:g}" for n in (2048, 500, 2048 - 500))
    yield as_printed("MiB reserved, used, wasted by one request", "1024, 250, 774", mib)
    life = (160 + np.arange(1, 341)).mean() / 2048  # prompt 160, output 340
    gib = [100 * 2048 * PER_TOKEN / GIB * (1 - use) for use in (500 / 2048, life)]
    yield judge("100 users waste", "75.59 GiB", f"{gib[1]:.2f} GiB, as a mean over their lives",
                round(gib[1], 2) == 75.59, round(gib[0], 2) == 75.59, "at their last token")
    yield judge("of its reservation one uses", "24.4%", f"{life:.1%}, as a mean over its life",
                round(life, 3) == 0.244, round(500 / 2048, 3) == 0.244, "at its last token")


def systems():
    """Which systems use 20 to 38 %, and which of them reserve the maximum."""
    used = facts("published").query("topic == 'fig2' and quantity == 'used'")
    orca = used[used["case"] != "vLLM"]["value"]
    asked = [policy.reserve(160, 340, 2048) for policy in POLICIES.values()
             if policy.reserve and policy.label in used["case"].tolist()]
    naive = orca[[slots == 2048 for slots in asked]]  # those that reserve the maximum
    yield judge("naive systems use of the memory", "20-38%", ", ".join(f"{u:.1%}" for u in orca),
                (round(naive.min(), 2), round(naive.max(), 2)) == (0.20, 0.38),
                (round(orca.min(), 2), round(orca.max(), 2)) == (0.20, 0.38),
                "for three systems, one number each")
    yield judge("systems without pages reserve", "the maximum, 2048",
                ", ".join(map(str, asked)) + " (Max, Pow2, Oracle)",
                set(asked) == {2048}, asked[0] == 2048, "for Orca (Max)")


def pool():
    """Pages of five requests, the pool's utilisation, and what is lost in it."""
    pages, five = PagePool(512, 16), []
    for n in (320, 48, 160, 96, 272):
        five.append(PagedRequest(pages))
        five[-1].append(n)
    counts, used = [len(request.block_table) for request in five], pages.utilisation
    yield as_printed("pages of five requests", "20, 3, 10, 6, 17", str(counts)[1:-1])
    five[1].free()
    yield as_printed("pool utilisation", "10.9%, then 10.4%",
                     f"{used:.1%}, then {pages.utilisation:.1%}")
    waste, even = PROBABILITY @ (-LENGTHS % 16), (-np.arange(1, 2049) % 16).mean()
    yield judge("a request wastes page size / 2 on average", "8 slots",
                f"{even:.1f} if all lengths are as likely, {waste:.2f} with its own", even == 8)
    PagedRequest(pages).append(pages.n_free * 16)  # is any free page useless?
    yield judge("fragmentation of pages", "none", f"{waste:.2f} slots a request, internal",
                waste == 0, pages.n_free == 0, "if external is meant")


def sharing():
    """Ten requests with one prompt of 200 tokens, before and after they have written."""
    pages = PagePool(512, 16)
    prompt = PagedRequest(pages)
    prompt.append(200)
    ten = [prompt.fork() for _ in range(10)]
    counts, n = {pages.ref_count(page) for page in prompt.block_table}, pages.n_used
    yield judge("pages, ref count, MiB of the prompt", "13, 11, 104",
                f"{n}, {max(counts)}, {n * PAGE_MIB:.0f}", (n, counts) == (13, {11}))
    before, moved = (130 - n) * PAGE_MIB, (ten[3].append(), pages.ref_count(12))
    yield judge("request 3 diverges", "12 to 13, 11 to 10",
                f"{moved[0][0]} to {moved[0][1]}, 11 to {moved[1]}", moved == ((12, 13), 10))
    for request in ten[:3] + ten[4:]:
        request.append()
    after, naive = (130 - pages.n_used) * PAGE_MIB, 10 * 2048 * PER_TOKEN / MIB
    yield judge("ten with one prompt save", "936 MiB", f"{after:.0f} MiB after a token of each",
                after == 936, before == 936, "until the requests write")
    yield judge("naively the ten would take", "1040 MiB", f"{naive:,.0f} MiB", naive == 1040,
                130 * PAGE_MIB == 1040, "for pages that are not shared")


def batches():
    """The table of five batches, and what the article says about it."""
    stream = np.random.RandomState(42)
    batches = [article_lengths(n, stream) for n in (10, 25, 50, 100, 200)]
    yield as_printed("tokens and pages at batch 200", "102617, 6513",
                     f"{batches[-1].sum()}, {pages_for(batches[-1], 16).sum()}")
    yield as_printed("naive utilisation at five sizes", "28.8 21.1 23.9 24.9 25.1",
                     " ".join(f"{100 * x.mean() / 2048:.1f}" for x in batches))
    yield as_printed("paged utilisation at five sizes", "98.7 98.2 98.5 98.6 98.5",
                     " ".join(f"{100 * paged_utilisation(x, 16):.1f}" for x in batches))
    level, top = PROBABILITY @ LENGTHS / 2048, PROBABILITY @ LENGTHS / SLOTS
    yield judge("naive utilisation tends to 500 / 2048", "24.4%",
                f"{level:.2%}: the lengths are cut at 200", round(level, 3) == 0.244)
    yield judge("paged utilisation is flat at", "98.5%", f"{top:.2%}", round(top, 3) == 0.985)
    yield judge("the gap is roughly", "74 points", f"{100 * (top - level):.2f} points",
                round(100 * (top - level)) == 74)


def conclusions():
    """More requests at once, more throughput, little overhead."""
    requests = read_workload("sharegpt_paper", 20_000, np.random.RandomState(0)).shorter_than(2048)
    at_once = []
    for name in ("paged", "max"):
        server = Server(POLICIES[name].memory(15728, 2048), requests)
        server.run(20_000)
        at_once.append(steady_state(server)["requests_at_once"])
    times = at_once[0] / at_once[1]
    yield judge("requests at once, over naive", "2-4x", f"{times:.1f}x, as a mean", 2 <= times <= 4,
                2 <= 2048 / SLOTS <= 4, "if each has its final length from the start")
    kernel = facts("published").query("topic == 'kernel'")["value"]
    yield judge("attention through the block table costs", "very little",
                f"{kernel.min():.0%}-{kernel.max():.0%} slower", kernel.max() < 0.05)


def throughput():
    """The paper's claim, which the article quotes: requests a second over two of Orca's
    systems. Ours is memory alone, for three models."""
    gains, said = paper_gains(), facts("published").query("topic == 'fig12'").set_index("case")
    names = gains.index.str.extract(r"OPT-(\w+)", expand=False)
    for system, gain in gains.items():
        low, high = (said["value"][f"{system} {end}"] for end in ("least", "most"))
        inside = gain.between(low, high)
        ours = ", ".join(f"{name} {times:.1f}x" for name, times in zip(names, gain))
        yield judge(f"throughput {system}", f"{low:g}-{high:g}x (paper)", ours, inside.all(),
                    inside.any(), "by memory alone, for " + " and ".join(names[inside]))


def paper_gains(n_requests=1000, seed=42):
    """How many times the requests a second of two of Orca's systems vLLM serves, in the
    memories of the paper's Table 1, saturated, without host time: a row for each model."""
    lengths = read_workload("sharegpt_paper", 20_000, np.random.RandomState(seed))
    rows, slots = {}, facts("published").query("topic == 'paper_memory'")
    for case, size in zip(slots["case"], slots["value"].astype(int)):
        name, _, n_gpus, _, card = case.split()
        memories = {policy.label: policy.memory(size, 2048) for policy in
                    (POLICIES["paged"], POLICIES["max"], POLICIES["oracle"])}
        clock = Clock.of(Model.named(name), card, int(n_gpus))
        served = saturate(memories, lengths.shorter_than(2048), n_requests)
        rate = {k: throughput_of(server, clock)["requests_per_s"] for k, server in served.items()}
        rows[case] = {f"over {k}": rate["vLLM"] / rate[k] for k in rate if k != "vLLM"}
    return pd.DataFrame(rows).T


def ledger():
    """All rows as a table."""
    parts = (sizing(), systems(), pool(), sharing(), batches(), conclusions(), throughput())
    return pd.DataFrame([row for part in parts for row in part])
