"""The exercises that ask for numbers."""
from itertools import count

from ...contiguous import account
from ...paging import paged_utilisation, pages_for
from ...serving import Clock
from ...sizing import GIB, Deployment, Model
from ...traffic import article_distribution
from .exercise import Exercise
from .functions import tokens_found

LLAMA, GEMMA = Model.named("Llama-3-70B"), Model.named("Gemma-3-27B")
LENGTHS, PROBABILITY = article_distribution()
CLOCK = Clock.of(Model.named("OPT-13B"), "A100-40GB")
CARD = Deployment(Model.named("Llama-2-7B"), "RTX-4080-16GB")


def smallest(holds):
    """The smallest whole number from 1 on that `holds`."""
    return next(n for n in count(1) if holds(n))


def share(weights=1, overhead=1, cache=1.0, card=CARD.reported_bytes):
    """The share of a card that so much of model, overhead and a sequence of 2,048 tokens take."""
    beside, sequence = sum(CARD.overheads.values()), CARD.model.kv_bytes(2048)
    return (weights * CARD.weight_bytes + overhead * beside + cache * sequence) / card


NUMBERS = {
    "1.1": Exercise(lambda: LLAMA.kv_bytes(1, "fp8"), {
        "that is the number for two bytes a value": 2 * 80 * 2 * 8 * 128,
        "a token leaves a K and a V": 80 * 8 * 128,
        "query heads are not stored, KV heads are": 80 * 2 * 64 * 128,
        "the question is for bytes, not KiB": 160},
        "multiply layers, K and V, KV heads, their dimension, and bytes a value"),
    "1.2": Exercise(lambda: smallest(lambda n: GEMMA.kv_bytes(n) <= n * GEMMA.kv_bytes(1) / 2), {
        "a whole number of tokens is asked for": lambda n, _: n < 1 or n != int(n)},
        ("at that length it still costs more than half", "a shorter sequence costs half already")),
    "2.1": Exercise(lambda: account(28, 3 * 9, 16, 11), {
        "four numbers are asked for: used, reserved, internal, external": lambda x, _: len(x) != 4,
        "what is and will be written is not the server's choice": lambda x, y: x[:2] != y[:2],
        "every slot is in one state, so the four sum to 28": lambda x, _: sum(x) != 28,
        "those are the states of reservations of 8": (11, 5, 8, 4),
        "the order is used, reserved, internal, external": (11, 5, 1, 11),
        "each of the three reservations grows by a slot": (11, 5, 9, 3),
        "27 slots are enough for all three reservations": (11, 5, 2, 10)},
        "three reservations of 9: what is left beside them?"),
    "2.2": Exercise(lambda: (16 + 32 + 8 - 9 - 17 - 5, 64 - 16 - 32 - 8, False), {
        "three things are asked for: rounding, holes, whether 9 more fit": lambda x, _: len(x) != 3,
        "together they are all slots that nobody asked for": lambda x, y: sum(x[:2]) != sum(y[:2]),
        "rounding comes first, then the holes": lambda x, right: x[0] == right[1],
        "a block is a power of two; a hole is in no block": lambda x, right: x[:2] != right[:2]},
        "a request for 9 needs a block of 16, and one hole that holds it"),
    "3.1": Exercise(lambda: tuple(1600 // (pages_for(100, size) * size) for size in (16, 64)), {
        "a request takes whole pages, its last one too": {(16, 16), (14, 16), (16, 12)},
        "pages of 16 come first": (12, 14), "those are the pages of the memory": (100, 25),
        "does one page of 64 hold 100 tokens?": (14, 25),
        "100 tokens take 7 pages of 16, and more than one of 64": (16, 25),
        "a request of which only a part fits is not admitted": {(15, 13), (14, 13)}},
        "how many pages are there, and how many does one request take, rounded up?"),
    "3.2": Exercise(lambda: smallest(
        lambda p: PROBABILITY @ LENGTHS / (p * PROBABILITY @ pages_for(LENGTHS, p)) < 0.9), {
        "a whole number of tokens is asked for": lambda n, _: n < 1 or n != int(n),
        "that is the mean of each request's share; divide all tokens by all slots": 94,
        "(page size - 1) / 2 is for remainders that are equally likely": {112, 113, 114},
        "the mean length alone does not do; each length has its own last page": 63},
        ("the pages are still fuller than that; try larger ones",
         "a smaller page size is already below 90 %; page sizes need be no powers of two")),
    "4.1": Exercise(lambda: 10 - 1, {
        "the last to write: who else holds the page by then?": 10,
        "the first to write copies as well: nine others hold the page": 8,
        "200 is no multiple of 16, so the last page is written to, and others hold it": 0,
        "a full page is never written to, so never copied": {12, 13, 117, 120, 130},
        "those are pages in use; asked for are the pages copied": {21, 22, 23}},
        "each writer copies only while somebody else still holds the partly filled page"),
    "4.2": Exercise(lambda: 200 // 64 + 10 * (pages_for(300, 64) - 200 // 64), {
        "the prompt's fourth page is only begun: it is copied, and its table freed": 24,
        "300 tokens need five pages of 64: how many are not the prompt's?": {13, 14, 30, 33},
        "the prompt's full pages are shared: they count once": {50, 53, 4 + 10 * 5},
        "that is for pages of 16": {22, 82}, "the shared pages are in use as well": 20,
        "each request takes whole pages": {10 * 300 / 64, 47}},
        "only the prompt's full pages stay shared; count them once, the rest ten times"),
    "5.1": Exercise(lambda: paged_utilisation([5, 16, 17], 8), {
        "that is the answer for pages of 16": 38 / 64, "the share that is empty": 10 / 48,
        "a page that is begun is taken whole, for each request": {38 / 40, 38 / 32},
        "the naive one, in reservations of 32": 38 / 96,
        "16 tokens fill two pages of 8 exactly": 38 / 56,
        "all tokens over all slots, not the mean of three shares": (5 / 8 + 1 + 17 / 24) / 3},
        "count each request's pages and round up, then tokens / slots: a share from 0 to 1", 0.005),
    "5.2": Exercise(lambda: PROBABILITY @ (LENGTHS - PROBABILITY @ LENGTHS)**2 / (2048 * 1e-3)**2, {
        "the spread falls with the root of the batch size, not with the size": 92,
        "solve for n: the root is on the other side, so square": 9.6,
        "0.1 points are 0.001 of utilisation": {0.85, 1, 85},
        "clipping narrows the lengths: their deviation is not 200 any more": (200 / 2.048)**2,
        "points of utilisation, not a share of its level": 138_990,
        "the standard deviation is asked for, not the middle 90 %": 22_911},
        "the spread of one request is `one_sd`; which n brings it down to 0.001?", 0.02),
    "6.1": Exercise(lambda: smallest(lambda k: 4 * pages_for(36 + k - 1, 16) > 12), {
        "the first iteration reads the prompt and appends nothing: count from there": 13,
        "which token no longer fits the third page of 16?": {11, 12},
        "one iteration earlier: the page is missing when the token is written": 15},
        "three pages hold 48 tokens; how many does a request have after iteration k?"),
    "7.1": Exercise(lambda: 16 - tokens_found(["a" * 16], "a" * 16, 4), {
        "the last token is always computed, or nothing could follow it": 0,
        "a page is found whole or computed whole": {1, 15},
        "so many are found, and the question is what is computed": 12},
        "count tokens: which pages may be found, and which of them holds the last token?"),
    "7.2": Exercise(lambda: 75 * 135, {
        "a page's life is how long the queue before it takes to be used up": {135 / 75, 75 / 135},
        "pages are asked for, not tokens": 75 * 135 * 512,
        "half is the median, without the system prompt": {75 * 72, 75 * 114, 75 * 291},
        "half of the returns is no half of the pages": 75 * 135 / 2},
        "half of the returns come within the median; how many pages are taken in that time?", 0.01),
    "8.1": Exercise(lambda: CLOCK.weight_bytes / CLOCK.kv_bytes_per_token, {
        "parameters are counted in 10⁹, so the weights are in GB, not GiB": 26 * GIB / 819_200,
        "800 KiB are 819,200 bytes": 26e9 / 800e3, "each parameter has two bytes": 13e9 / 819_200,
        "twice as long means as much time again, not twice as much for the cache": 52e9 / 819_200,
        "an efficiency divides both, and cancels": 26e9 / 819_200 / CLOCK.efficiency,
        "what a GPU has does not matter, but what it reads": 40e9 / 819_200},
        "the cache must be as many bytes as the weights: divide by the bytes of a token", 0.005),
    "8.2": Exercise(lambda: CLOCK.flops_per_s / CLOCK.bandwidth_bytes_per_s, {
        "a parameter is two bytes to read, and two operations for each token": {401, 100, 50},
        "TFLOPS are 10¹² a second, GB/s 10⁹": {0.2, 200_600},
        "an efficiency divides both, and cancels": 200.6 * CLOCK.efficiency,
        "it is the other way round: many tokens make arithmetic": 1 / 200.6},
        "set bytes of weights / bandwidth equal to 2 × parameters × tokens / flops", 0.02),
    "9.1": Exercise(lambda: 16_384 % 2048 / 16_384, {
        "a share of the memory is asked for": {16_384 // 2048, 15_728 % 2048},
        "that is lost inside the reservations, internally": lambda x, _: 0.5 < x < 0.7,
        "that is the remainder of 15,728 slots": 15_728 % 2048 / 15_728,
        "how many reservations of 2,048 are there, and what is left over?": lambda x, _: x > 0.05},
        "equal reservations leave no holes; count the remainder alone", 0.01),
    "9.2": Exercise(  # half of the output, or as in notebook 2 of output + 1; a last page's rest
        lambda: {15_728 / (19.31 + n / 2 + rest) for n in (58.45, 59.45) for rest in (0, 7.5)}, {
        "a running request has written only half of its output, on average": 15_728 / 77.76,
        "a request holds both prompt and output": {15_728 / n for n in (19.31, 58.45, 58.45 / 2)},
        "half a page is lost at the end, not up to a page": 15_728 / 64,
        "the paper's number is what to compare with": 132.44,
        "the output is halved, not the prompt": 2 * 15_728 / 77.76},
        "divide the slots by the tokens that a running request holds on average", 0.003),
    "10.1": Exercise(lambda: LLAMA.kv_bytes_on(16, 1, "fp8"), {
        "that is the number for two bytes a value": 4 * 80 * 2 * 8 * 128,
        "that would do if there were as many KV heads as GPUs": 80 * 2 * 8 * 128,
        "that is one GPU's; the question is for all of them": 80 * 2 * 128,
        "query heads are not stored, KV heads are": 80 * 2 * 64 * 128},
        "mind layers, K and V, KV heads (not query heads), and what happens to spare GPUs"),
    "10.2": Exercise(share, {
        "a share lies between 0 and 1": lambda x, _: not 0 <= x <= 1,
        "the share is of what the card reports, not of its label":
            share(card=CARD.memory_of_card()[0] * GIB),
        "what lies beside weights and cache needs room too": share(overhead=0),
        "the weights need room too": share(weights=0),
        "that leaves room for no token": share(cache=0),
        "that is room for half of the sequence": share(cache=0.5)},
        ("the sequence does not fit yet", "a smaller share is enough"), 0.0005),  # three decimals
}
