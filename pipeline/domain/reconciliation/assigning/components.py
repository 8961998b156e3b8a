"""Components: items that must be decided together, since each edge's best choice depends on the others'.

A component has at most ITEMS_MAX items. Where more hang together, the weakest edges are cut: edges are taken
from the strongest on, and one that would make a component too large is left out. So neither the order of
arrival nor a library decides which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush

from pipeline.domain.reconciliation.assigning.edges import Edge, order

ITEMS_MAX = 256
"""Items of a component."""

_Outgoing = tuple[bool, tuple[int, bytes, bytes], bytes]


def components(edges: Iterable[Edge], items_max: int = ITEMS_MAX) -> list[list[Edge]]:
    """Return the components of some edges: their edges, strongest first; so are the components."""
    root: dict[bytes, bytes] = {}
    size: dict[bytes, int] = {}
    kept = []
    for edge in sorted(edges, key=order):
        left, right = (_root(root, size, b"p" + edge.posting), _root(root, size, b"l" + edge.line))
        if left != right:
            if size[left] + size[right] > items_max:
                continue
            root[max(left, right)] = min(left, right)
            size[min(left, right)] = size[left] + size[right]
        kept.append(edge)
    found: dict[bytes, list[Edge]] = {}
    for edge in kept:
        found.setdefault(_root(root, size, b"p" + edge.posting), []).append(edge)
    return list(found.values())


def around(key: bytes, edges_of: Callable[[bytes], Iterable[Edge]], items_max: int = ITEMS_MAX) -> list[Edge]:
    """Return the edges of the component around an item, strongest first.

    It grows from the item, first along its own edges, then along the strongest edge that leads out, until
    nothing does or it has `items_max` items. `edges_of` returns the edges of an item; it is asked once each.
    """
    inside: set[bytes] = set()
    kept: dict[Edge, None] = {}
    outgoing: list[_Outgoing] = []
    entering: bytes | None = key
    while entering is not None:
        inside.add(entering)
        for edge in edges_of(entering):
            end = edge.other(entering)
            if end in inside:
                kept[edge] = None
            else:
                heappush(outgoing, (entering != key, order(edge), end))
        entering = _next(outgoing, inside) if len(inside) < items_max else None
    return sorted(kept, key=order)


def _next(outgoing: list[_Outgoing], inside: set[bytes]) -> bytes | None:
    while outgoing:
        _, _, end = heappop(outgoing)
        if end not in inside:
            return end
    return None


def _root(root: dict[bytes, bytes], size: dict[bytes, int], key: bytes) -> bytes:
    if key not in root:
        root[key], size[key] = key, 1
    while root[key] != key:
        root[key] = root[root[key]]
        key = root[key]
    return key
