"""The article's claims, each with its value, ours, and a computed verdict: it holds as it stands,
at the precision the article prints, or under a condition that we can name, or it is wrong."""
import numpy as np
import pandas as pd

from ..contiguous import naive_utilisation
from ..facts import facts
from ..paging import PagedRequest, PagePool, paged_utilisation, pages_for
from ..serving import POLICIES, Clock, Server, steady_state, throughput_of
from ..sizing import GIB, MIB, Model
from ..traffic import article_distribution, article_lengths, read_workload

PER_TOKEN = Model.named("32x32x128").kv_bytes_per_token()
PAGE_MIB = 16 * PER_TOKEN / MIB
LENGTHS, PROBABILITY = article_distribution()
SLOTS = 16 * (PROBABILITY @ pages_for(LENGTHS, 16))  # of a request's pages, on average


def judge(claim, article, ours, holds_if=False, condition="", holds=None):
    """A row of the ledger. Without `holds` a claim holds if ours is what the article prints."""
    holds = ours == article if holds is None else holds
    verdict = "holds" if holds else f"holds {condition}" if holds_if else "wrong"
    return {"claim": claim, "article": article, "ours": ours, "verdict": verdict}


def sizing():
    """Bytes of a token; what 100 users waste, at the last token and over a life."""
    models = facts("models").query("survey")
    agree, mha = models["q_heads"] == models["kv_heads"], models["attention"] == "MHA"
    yield judge("bytes a token of its model takes", "524,288", f"{PER_TOKEN:,}")
    yield judge("a token takes 2 × layers × heads × dim × bytes", "in any model",
                f"in {agree.sum()} of {len(models)} models", agree[mha].all(),
                "for multi-head attention", agree.all())
    yield judge("MiB reserved, used, wasted by one request", "1024, 250, 774",
                ", ".join(f"{n * PER_TOKEN / MIB:g}" for n in (2048, 500, 2048 - 500)))
    at_end, life = 500 / 2048, (160 + np.arange(1, 341)).mean() / 2048  # prompt 160, output 340
    wasted = [100 * 2048 * PER_TOKEN / GIB * (1 - used) for used in (life, at_end)]
    yield judge("100 users waste", "75.59 GiB", f"{wasted[0]:.2f} GiB, as a mean over their lives",
                round(wasted[1], 2) == 75.59, "at their last token")
    yield judge("of its reservation one uses", "24.4%", f"{life:.1%}, as a mean over its life",
                round(at_end, 3) == 0.244, "at its last token")


def systems():
    """Which systems use 20 to 38 %, and which of them reserve the maximum."""
    used = facts("published").query("topic == 'fig2' and quantity == 'used'")
    orca = used[used["case"] != "vLLM"]["value"]
    asked = [policy.reserve(160, 340, 2048) for policy in POLICIES.values()
             if policy.reserve and policy.label in used["case"].tolist()]
    naive = orca[[slots == 2048 for slots in asked]]  # those that reserve the maximum
    span, of_naive = (f"{100 * u.min():.0f}-{u.max():.0%}" for u in (orca, naive))
    yield judge("naive systems use of the memory", "20-38%", ", ".join(f"{u:.1%}" for u in orca),
                span == "20-38%", "for three systems, one number each", of_naive == "20-38%")
    yield judge("systems without pages reserve", "the maximum, 2048",
                ", ".join(map(str, asked)) + " (Max, Pow2, Oracle)",
                asked[0] == 2048, "for Orca (Max)", set(asked) == {2048})


def pool():
    """Pages of five requests, the pool's utilisation, and what is lost in it."""
    pool = PagePool(512, 16)
    five = [PagedRequest(pool) for _ in range(5)]
    for request, n in zip(five, (320, 48, 160, 96, 272)):
        request.append(n)
    yield judge("pages of five requests", "20, 3, 10, 6, 17",
                ", ".join(str(len(request.block_table)) for request in five))
    full = pool.utilisation
    five[1].free()
    yield judge("pool utilisation", "10.9%, then 10.4%", f"{full:.1%}, then {pool.utilisation:.1%}")
    own, even = PROBABILITY @ (-LENGTHS % 16), (-np.arange(1, 2049) % 16).mean()
    yield judge("a request wastes page size / 2 on average", "8 slots",
                f"{even:.1f} if all lengths are as likely, {own:.2f} with its own", holds=even == 8)
    PagedRequest(pool).append(pool.n_free * 16)  # is any free page useless?
    yield judge("fragmentation of pages", "none", f"{own:.2f} slots a request, internal",
                pool.n_free == 0, "if external is meant", own == 0)


def sharing():
    """Ten requests with one prompt of 200 tokens, before and after they have written."""
    pages = PagePool(512, 16)
    prompt = PagedRequest(pages)
    prompt.append(200)
    ten = [prompt.fork() for _ in range(10)]
    n, count = pages.n_used, min(map(pages.ref_count, prompt.block_table))
    yield judge("pages, ref count, MiB of the prompt", "13, 11, 104",
                f"{n}, {count}, {n * PAGE_MIB:.0f}")
    old, new = ten[3].append()
    yield judge("request 3 diverges", "12 to 13, 11 to 10",
                f"{old} to {new}, {count} to {pages.ref_count(old)}")
    for request in ten[:3] + ten[4:]:
        request.append()
    before, after = ((130 - used) * PAGE_MIB for used in (n, pages.n_used))
    yield judge("ten with one prompt save", "936 MiB", f"{after:.0f} MiB after a token of each",
                before == 936, "until the requests write")
    yield judge("naively the ten would take", "1040 MiB", f"{10 * 2048 * PER_TOKEN / MIB:,.0f} MiB",
                130 * PAGE_MIB == 1040, "for pages that are not shared")


def batches():
    """The table of five batches, and what the article says about it."""
    stream = np.random.RandomState(42)
    batches = [article_lengths(n, stream) for n in (10, 25, 50, 100, 200)]
    yield judge("tokens and pages at batch 200", "102617, 6513",
                f"{batches[-1].sum()}, {pages_for(batches[-1], 16).sum()}")
    yield judge("naive utilisation at five sizes", "28.8 21.1 23.9 24.9 25.1",
                " ".join(f"{100 * naive_utilisation(x, 2048):.1f}" for x in batches))
    yield judge("paged utilisation at five sizes", "98.7 98.2 98.5 98.6 98.5",
                " ".join(f"{100 * paged_utilisation(x, 16):.1f}" for x in batches))
    level, top = PROBABILITY @ LENGTHS / 2048, PROBABILITY @ LENGTHS / SLOTS
    yield judge("naive utilisation tends to 500 / 2048", "24.4%",
                f"{level:.2%}: the lengths are cut at 200", holds=round(level, 3) == 0.244)
    yield judge("paged utilisation is flat at", "98.5%", f"{top:.2%}", holds=round(top, 3) == 0.985)
    yield judge("the gap is roughly", "74 points", f"{100 * (top - level):.2f} points",
                holds=round(100 * (top - level)) == 74)


def conclusions():
    """More requests at once, more throughput, little overhead."""
    requests = read_workload("sharegpt_paper", 20_000, np.random.RandomState(0)).shorter_than(2048)
    servers = [Server(POLICIES[name].memory(15728, 2048), requests) for name in ("paged", "max")]
    paged, naive = (steady_state(one.run(20_000))["requests_at_once"] for one in servers)
    times = paged / naive
    yield judge("requests at once, over naive", "2-4x", f"{times:.1f}x, as a mean",
                2 <= 2048 / SLOTS <= 4, "if each has its final length from the start",
                2 <= times <= 4)
    kernel = facts("published").query("topic == 'kernel'")["value"]
    yield judge("attention through the block table costs", "very little",
                f"{kernel.min():.0%}-{kernel.max():.0%} slower", holds=kernel.max() < 0.05)


def throughput():
    """The paper's claim, which the article quotes: requests a second over two systems."""
    gains, said = paper_gains(), facts("published").query("topic == 'fig12'").set_index("case")
    names = gains.index.str.extract(r"OPT-(\w+)", expand=False)
    for system, gain in gains.items():
        low, high = (said["value"][f"{system} {end}"] for end in ("least", "most"))
        inside = gain.between(low, high)
        ours = ", ".join(f"{name} {times:.1f}x" for name, times in zip(names, gain))
        yield judge(f"throughput {system}", f"{low:g}-{high:g}x (paper)", ours, inside.any(),
                    "by memory alone, for " + " and ".join(names[inside]), inside.all())


def paper_gains():
    """How many times the requests a second of two of Orca's systems vLLM serves, in the
    memories of the paper's Table 1, saturated, without host time: a row for each model."""
    requests = read_workload("sharegpt_paper", 20_000, np.random.RandomState(42)).shorter_than(2048)
    rows, slots = {}, facts("published").query("topic == 'paper_memory'")
    for case, size in zip(slots["case"], slots["value"].astype(int)):
        name, _, n_gpus, _, card = case.split()
        clock, rate = Clock.of(Model.named(name), card, int(n_gpus)), {}
        for policy in (POLICIES["paged"], POLICIES["max"], POLICIES["oracle"]):
            server = Server(policy.memory(size, 2048), requests).finish(1000)
            rate[policy.label] = throughput_of(server, clock)["requests_per_s"]
        rows[case] = {f"over {k}": rate["vLLM"] / rate[k] for k in rate if k != "vLLM"}
    return pd.DataFrame(rows).T


def ledger():
    """All rows as a table."""
    parts = (sizing(), systems(), pool(), sharing(), batches(), conclusions(), throughput())
    return pd.DataFrame([row for part in parts for row in part])
