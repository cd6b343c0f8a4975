"""How often prompts find pages: in a pool, and in a cache of every size at once."""
from bisect import bisect
from itertools import count
from math import inf

import numpy as np

from ..paging import OutOfPages
from ..prefix import PrefixPool, PrefixRequest


class TimedPool(PrefixPool):
    """A pool whose driver sets `now_s`; `lives` are the seconds pages were idle until forgotten."""

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


def serve_prompts(prompts, pool):
    """Tokens found by each prompt: a request comes, looks, computes and leaves before the
    next. One too long for the pool finds none."""
    found = []
    for keys, n_tokens, now_s in zip(prompts.keys, prompts.n_tokens, prompts.seconds):
        pool.now_s = now_s
        try:
            request = PrefixRequest(pool, n_tokens, keys)
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


def distances(prompts):
    """How many other pages were used since each page's last use, before its prompt came
    (infinity: never used), tails first: it is found in a cache of more pages than that, if the
    longest idle is forgotten first. (Mattson et al. 1970, "stack distance".)"""
    last, recent, uses, far = {}, [], count(), []  # recent: the last uses of all pages, sorted
    for keys in prompts.keys:
        far += [len(recent) - bisect(recent, last[key]) if key in last else inf
                for key in reversed(keys)]
        for key in reversed(keys):
            if key in last:
                del recent[bisect(recent, last[key]) - 1]
            last[key] = next(uses)
            recent.append(last[key])
    return np.array(far)


def return_times(prompts):
    """Seconds from each page's last use to its prompt, infinity if there was none; tails first."""
    last, ago = {}, []
    for keys, now_s in zip(prompts.keys, prompts.seconds):
        ago += [now_s - last.get(key, -inf) for key in reversed(keys)]
        last.update(dict.fromkeys(keys, now_s))
    return np.array(ago)
