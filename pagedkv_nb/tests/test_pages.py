"""From memory to tokens: pages of layers of several kinds, against what servers printed and
against counts by hand."""
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.facts import facts
from pagedkv_nb.sizing import GIB, Deployment, Engine, Model
from pagedkv_nb.sizing.engine import Layout

# Gemma-4-31B: 10 full layers of 4 KV heads of 512, 50 local ones of 16 heads of 256.
GEMMA = Model("Gemma-4-31B", 60, 4, 512, 32, 50, 1024, local_kv_heads=16, local_head_dim=256)
# MiMo-V2-Flash: 9 full layers of 4 KV heads, 39 local of 8, K of 192 and V of 128 values.
MIMO = Model("MiMo-V2-Flash", 48, 4, 192, 64, 39, 128, local_kv_heads=8, local_head_dim=192,
             v_head_dim=128)
SCOUT = Model.named("Llama-4-Scout")


def laid_out(model, engine="vllm-0.33", dtype="fp16", batch_tokens=8192, n_gpus=1):
    """The layout of a model, a name or the fields of one."""
    model = Model.named(model) if isinstance(model, str) else model
    return Layout(model, n_gpus, dtype, Engine.named(engine), batch_tokens)


@pytest.mark.parametrize("engine, batch", [("vllm-0.25", 8192), ("vllm-0.26", 4096)])
def test_the_log_of_gemma_4_step_by_step(engine, batch):
    layout = laid_out(GEMMA, engine, batch_tokens=batch)
    full, local = layout.kinds
    assert (full.page_tokens, local.page_tokens, full.page_bytes) == (32, 16, 262144)
    assert (layout.size, layout.groups, layout.page_bytes) == (10, [1, 5], 2621440)
    memory = int(28.41 * GIB)
    assert memory // layout.page_bytes == 11636
    assert layout.pages_of_request(32768) == 1024 + 5 * 577 == 3909
    assert layout.concurrency(memory, 32768) == pytest.approx(2.9767, abs=1e-4)
    assert layout.tokens(memory, 32768) == 97541
    assert laid_out(GEMMA, "vllm-0.20.0").tokens(memory, 32768) == 11636 // 6 * 16 == 31024


@pytest.mark.parametrize("name, dtype, tokens", [
    ("Qwen3.5-27B", "bf16", 784), ("Qwen3.6-27B", "bf16", 784), ("Qwen3.6-27B", "fp8", 1568),
    ("Qwen3.5-35B-A3B", "bf16", 1056), ("Qwen3.6-35B-A3B", "fp8", 2096), ("Qwen3.5-4B", "bf16", 528),
    ("NVIDIA-Nemotron-3.5-Lightning-30B-A3B", "fp8", 4176)])
def test_pages_that_hold_a_state_are_as_servers_print_them(name, dtype, tokens):
    layout = laid_out(name, dtype=dtype)
    full, state = layout.kinds
    assert (full.page_tokens, state.keeps) == (tokens, "state")
    assert state.page_bytes == full.page_bytes >= layout.model.state_bytes
    assert full.page_bytes < layout.model.state_bytes + 16 * layout.model.layer_bytes_on(1, dtype)


@pytest.mark.parametrize("folder, dtype, tokens", [("Qwen3.5-27B", "bf16", 784),
                                                   ("Qwen3.5-35B-A3B", "bf16", 1056),
                                                   ("Qwen3.6-35B-A3B-NVFP4", "fp8", 2096)])
def test_pages_that_hold_a_state_by_config(shared, folder, dtype, tokens):
    path = shared / "configs_2" / folder
    if not path.exists():
        pytest.skip(f"{path} is not here")
    assert laid_out(str(path), dtype=dtype).kinds[0].page_tokens == tokens


def test_a_state_and_the_heads_are_dealt_out_together():
    one, two = (laid_out("Qwen3.5-27B", n_gpus=n).kinds[0] for n in (1, 2))
    assert two.page_bytes * 2 == one.page_bytes and two.page_tokens == one.page_tokens == 784


def test_the_log_of_nemotron():
    layout = laid_out("NVIDIA-Nemotron-3.5-Lightning-30B-A3B", dtype="fp8")
    assert (layout.size, layout.groups) == (6, [1, 4])  # 6 layers of attention, 23 of states
    assert layout.pages_of_request(32768) == 8 + 4 * 2
    assert layout.tokens(3798 * layout.page_bytes, 32768) == 7778304
    assert laid_out(layout.model, "vllm-0.28", "fp8").pages_of_request(32768) == 5 * 8  # as full
    assert laid_out(layout.model, "vllm-0.15", "fp8").pages_of_request(32768) == 8 + 4
    qwen = laid_out("Qwen3.5-27B", "vllm-0.28")  # linear attention never has one a page
    assert qwen.pages_of_request(32768) == 42 + 3 * 2


def test_two_shapes_of_heads_share_pages():
    layout = laid_out(MIMO)
    full, local = layout.kinds
    assert (full.page_tokens, local.page_tokens, full.page_bytes) == (32, 16, 16 * 5120)
    assert (layout.size, layout.groups) == (9, [1, 5])  # 45 local layers paid for 39
    assert layout.pages_of_request(1000) == 32 + 5 * (63 + 1)
    assert layout.pages_of_request(100000) == 3125 + 5 * (-(-(127 + 2 * 8192) // 16) + 1)


@pytest.mark.parametrize("counts, below, size", [
    ([10, 12], 1.25, 12), ([12, 10], 1.25, 12), ([8, 10], 1.25, 8), ([8, 10], 1.5, 10),
    ([10, 15], 1.5, 10), ([10, 52], 1.5, 10), ([12, 12], 1.25, 12), ([3, 30, 7], 1.5, 3), ([30], 1.25, 30)])
def test_layers_of_a_group(counts, below, size):
    full, local, states = (*counts, 0, 0)[:3]
    model = Model("drawn", full + local, 8, 128, local_layers=local, window=512, state_layers=states,
                  stateless_layers=states, state="linear" if states else "", state_bytes=10**6 * states)
    engine = SimpleNamespace(merge_below=below)
    assert Layout(model, 1, "fp16", engine, 8192).size == size


def test_padded_layers_are_paid():
    gemma = laid_out("Gemma-3-27B", "vllm-0.19")  # 10 full, 52 local: 6 groups for 5.2
    assert (gemma.size, gemma.groups) == (10, [1, 6])
    memory = 100 * gemma.page_bytes
    assert gemma.tokens(memory, 8192) == 100 // 7 * 16
    merged = Model("five and six", 11, 8, 128, local_layers=6, window=512)
    assert laid_out(merged, "vllm-0.17").groups == laid_out(merged, "vllm-0.19").groups == [1, 1]
    assert laid_out(merged, "vllm-0.19").size == 6  # 12 layers paid for 11
    seven = Model("five and seven", 12, 8, 128, local_layers=7, window=512)
    assert laid_out(seven, "vllm-0.17").groups == [1, 2] and laid_out(seven, "vllm-0.17").size == 5
    assert laid_out(seven, "vllm-0.18").groups == [1, 1] and laid_out(seven, "vllm-0.18").size == 7


@pytest.mark.parametrize("engine, in_flight", [("vllm-0.19", 1), ("vllm-0.25", 1), ("vllm-0.26", 2),
                                               ("vllm-0.33", 2)])
def test_beside_a_window_lies_what_is_computed(engine, in_flight):
    layout = laid_out("gpt-oss-20b", engine, batch_tokens=2048)  # 12 full, 12 of 128
    beside = 127 + in_flight * 2048
    for n in (1, 15, 16, 17, 127, 128, 2000, 2175, 2176, 4223, 4224, 100000):
        assert layout.pages_of_request(n) == -(-n // 16) + -(-min(n, beside) // 16) + 1, n


def test_a_chunk_has_one_batch_beside_it_and_no_page_more():
    for engine in ("vllm-0.19", "vllm-0.33"):
        layout = laid_out(SCOUT, engine, batch_tokens=2048)
        assert (layout.size, layout.groups) == (12, [1, 3])  # 36 of 48 layers see a chunk of 8,192
        for n in (16, 8192, 10240, 10241, 100000):
            assert layout.pages_of_request(n) == -(-n // 16) + 3 * -(-min(n, 10240) // 16), n


@pytest.mark.parametrize("engine", ["vllm-0.6", "vllm-0.7", "vllm-0.8", "sglang-0.5.10"])
def test_without_groups_every_layer_keeps_all(engine):
    for model in (GEMMA, MIMO, SCOUT, Model.named("gpt-oss-20b"), Model.named("Gemma-3-27B")):
        layout = laid_out(model, engine)
        page = 16 * model.kv_bytes_per_token()
        assert (layout.page_bytes, layout.groups) == (page, [1])
        assert layout.tokens(100 * page, 8192) == layout.tokens(101 * page - 1, 8192) == 1600
        assert layout.pages_of_request(100000) == 6250


@pytest.mark.parametrize("engine", ["vllm-0.6", "vllm-0.19", "vllm-0.33"])
def test_one_kind_of_layer_is_a_plain_quotient(engine):
    for name in ("Llama-3.1-8B", "DeepSeek-V3", "Falcon-7B"):
        layout = laid_out(name, engine)
        page = 16 * Model.named(name).kv_bytes_per_token()
        assert layout.page_bytes == page and layout.pages_of_request(33) == 3
        for memory, tokens in ((0, 0), (page - 1, 0), (page, 16), (7 * page + 5, 112)):
            assert layout.tokens(memory, 8192) == tokens
    assert laid_out("Llama-3.1-8B", engine, "fp8").page_bytes == 16 * 65536
    assert laid_out("Llama-3.1-8B", engine, n_gpus=4).page_bytes == 16 * 32768
    assert laid_out("DeepSeek-V3", engine, n_gpus=4).page_bytes == 16 * 61 * 1152


def test_an_index_is_part_of_the_page_and_never_split():
    sparse = Model("latent", 61, latent_dim=576, index_layers=61, index_bytes=132)
    for n_gpus in (1, 8):
        assert laid_out(sparse, n_gpus=n_gpus).page_bytes == 16 * 78324
        assert laid_out(sparse, dtype="fp8", n_gpus=n_gpus).page_bytes == pytest.approx(16 * 48068)
    beside = Model("heads", 60, 4, 128, index_layers=57, index_bytes=256)
    assert laid_out(beside).page_bytes == pytest.approx(16 * 137472)
    assert laid_out(beside, n_gpus=4).page_bytes == pytest.approx(16 * (122880 // 4 + 57 * 256))


@st.composite
def models(draw):
    """Models of any layers: full, local of the same or other heads, chunked, with states."""
    full, local = draw(st.integers(1, 40)), draw(st.integers(0, 60))
    heads = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([64, 128, 256]))
    own = draw(st.booleans()) and local
    states = draw(st.integers(0, 40))
    return Model("drawn", full + local, *heads, local_layers=local,
                 window=draw(st.integers(1, 10000)) if local else 0,
                 local_kv_heads=2 * heads[0] if own else 0, local_head_dim=heads[1] if own else 0,
                 chunked=draw(st.booleans()) and bool(local), state_layers=states,
                 stateless_layers=states, state=draw(st.sampled_from(["mamba", "linear"])) if states else "",
                 state_bytes=draw(st.integers(1, 10**7)) if states else 0)


ENGINES = st.sampled_from(list(facts("engines")["name"]))


@given(models(), ENGINES, st.integers(0, 2**38), st.integers(1, 10**6), st.integers(1, 20000),
       st.sampled_from(["fp16", "fp8"]))
def test_tokens_never_exceed_what_memory_holds(model, engine, memory, longest, batch, dtype):
    layout = laid_out(model, engine, dtype, batch)
    tokens = layout.tokens(memory, longest)
    new = layout.engine.printed == "tokens" and len(layout.kinds) > 1 or model.local_layers == model.layers
    cheapest = model.kv_bytes(longest, dtype) / longest if new else model.kv_bytes(1, dtype)
    assert 0 <= tokens * cheapest <= memory * (1 + 1e-9)
    assert layout.tokens(memory + memory // 7 + 1, longest) >= tokens
    assert layout.pages_of_request(longest + 1000) >= layout.pages_of_request(longest)
    padded = sum(layout.groups) * layout.size
    assert padded >= sum(kind.layers for kind in layout.kinds)


def test_a_deployment_lays_out_one_gpu():
    d = Deployment(Model.named("gpt-oss-20b"), "H100-80GB", 2, engine="vllm-0.19")
    layout = laid_out("gpt-oss-20b", "vllm-0.19", batch_tokens=8192, n_gpus=2)
    assert d.token_slots() == layout.tokens(d.kv_budget_bytes / 2, d.longest)
    assert d.admitted(5000) == layout.concurrency(d.kv_budget_bytes / 2, 5000)
