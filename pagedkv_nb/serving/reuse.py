"""How often prompts find pages: in a pool, and in a cache of every size at once."""
from bisect import bisect_left

import numpy as np
import pandas as pd

from ..paging import OutOfPages
from ..prefix import PrefixPool, PrefixRequest


class TimedPool(PrefixPool):
    """A pool with a clock, set by who drives it: `lives` are how long each page was idle
    before it was forgotten, in the clock's unit."""

    def __init__(self, total_pages, page_size=16):
        """At time 0; else as `PrefixPool`."""
        super().__init__(total_pages, page_size)
        self.now_s, self.lives, self._since = 0.0, [], {}

    def _put_back(self, page):
        """As `PrefixPool` does, noting when."""
        super()._put_back(page)
        self._since[page] = self.now_s

    def victim(self):
        """As `PrefixPool.victim`, noting how long the page was idle."""
        page = super().victim()
        self.lives.append(self.now_s - self._since[page])
        return page


def serve_prompts(prompts, pools, server_of=None):
    """Tokens found by each prompt: a request comes, looks, computes and leaves before the
    next. `server_of` gives the pool's number of each; a prompt too long for it finds none."""
    found, server_of = [], server_of or [0] * len(prompts.keys)
    for keys, n, now, s in zip(prompts.keys, prompts.n_tokens, prompts.seconds, server_of):
        pool = pools[s]
        pool.now_s = now
        try:
            request = PrefixRequest(pool, n, keys)
        except OutOfPages:
            found.append(0)
            continue
        found.append(request.n_found)
        request.free()
    return found


def sessions(prompts):
    """The number of each prompt's conversation: those whose first two pages are equal (the
    first alone may be a system prompt that all share)."""
    known = {}
    return [known.setdefault(tuple(keys[:2][-1:]) or ("short", i), len(known))
            for i, keys in enumerate(prompts.keys)]


def touches(prompts):
    """Every page of every prompt in the order of its last use, tails first: arrays of keys, of
    the prompt's number, and of how many pages of its prompt were before it."""
    keys = pd.Series([one[::-1] for one in prompts.keys], dtype=object).explode().dropna()
    return keys.to_numpy(), keys.index.to_numpy(), keys.groupby(level=0).cumcount().to_numpy()


def last_use(keys):
    """Position of the touch before of the same key, -1 for the first."""
    place = pd.Series(np.arange(len(keys)))
    return place.groupby(keys).shift(fill_value=-1).to_numpy()


def smaller_before(values):
    """For each value, how many earlier ones are smaller."""
    earlier, counts = [], []  # earlier: sorted
    for value in values.tolist():
        counts.append(bisect_left(earlier, value))
        earlier.insert(counts[-1], value)
    return np.array(counts, int)


def distances(prompts):
    """How many other pages were used since each page's last use, before its prompt came
    (infinity: never used): it is found in a cache of more pages than that, if the longest
    idle is forgotten first. (Mattson et al. 1970, "stack distance".)"""
    keys, _, place = touches(prompts)
    before = last_use(keys)
    first, far = before < 0, np.full(len(keys), np.inf)
    again = before[~first]
    smaller = smaller_before(again) + np.cumsum(first)[~first]  # -1 is smaller than all
    far[~first] = smaller - (again + 1) - place[~first]
    return far


def return_times(prompts):
    """Seconds from each page's last use to its prompt, infinity if there was none."""
    keys, request, _ = touches(prompts)
    before, seconds = last_use(keys), np.array(prompts.seconds)
    return np.where(before < 0, np.inf, seconds[request] - seconds[request[before]])
