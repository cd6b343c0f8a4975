"""What the bench measures against: the least that a loop over bare lists has to do."""

PAGE = 16


class Inline:
    """What the inline loops count in: an attribute, as a request has."""

    n_tokens = 0


def inline_appends(n, free, take):
    """The least a decode loop has to do: a page for every 16th token, one count a token."""
    table, request = [], Inline()
    for _ in range(n):
        if request.n_tokens % PAGE == 0:
            table.append(take(free))
        request.n_tokens += 1


class InlinePages:
    """The lists and counts of a pool without a single check."""

    def __init__(self, pages):
        """All free."""
        self.free, self.counts, self.table = list(range(pages)), {}, []

    def take(self, n):
        """A table of n pages."""
        self.table = [self.free.pop() for _ in range(n)]
        self.counts.update(dict.fromkeys(self.table, 1))

    def release(self):
        """Give the table back."""
        while self.table:
            page = self.table.pop()
            del self.counts[page]
            self.free.append(page)

    def fork(self, step=1):
        """A twin of the table, a count more for each page."""
        for page in self.table:
            self.counts[page] += step
        return list(self.table)

    def copy_on_write(self):
        """A new last page for one of the twins."""
        old, new = self.table[-1], self.free.pop()
        self.counts[old] -= 1
        self.counts[new] = 1
