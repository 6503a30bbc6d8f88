"""How often somebody may ask: so many requests in a sliding minute, counted by key and forgotten afterwards."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

KEYS = 10_000  # most keys remembered at once; the one unheard of for longest goes first


class RateLimiter:
    """Counts requests by key. Safe to use from several threads."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._asked: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, key: str, *, limit: int, now: float | None = None) -> bool:
        """Whether `key` may ask once more, which is then counted; a refused request is not.

        Args:
            key: whoever asks: a workspace, an address.
            limit: most requests within the last ``seconds``.
            now: seconds of a clock that never goes back; by default this machine's.
        """
        moment = time.monotonic() if now is None else now
        with self._lock:
            asked = self._asked.setdefault(key, deque())
            self._asked.move_to_end(key)
            while len(self._asked) > KEYS:
                self._asked.popitem(last=False)
            while asked and asked[0] <= moment - self.seconds:
                asked.popleft()
            if len(asked) >= limit:
                return False
            asked.append(moment)
            return True
