"""What values look like: which keys, which types, where nothing may stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

NUMBERS = {"int", "float"}


class Shape:
    """What some examples of a value have in common, and what they have together.

    ``required`` are the keys of every example of the first sample, ``keys`` those of any.
    """

    def __init__(self, examples: Sequence[Any], *, newest: int | None = None) -> None:
        self.types = {type(example).__name__ for example in examples}
        objects = [example for example in examples if isinstance(example, dict)]
        newest_objects = [example for example in examples[:newest] if isinstance(example, dict)]
        self.required = set.intersection(*map(set, newest_objects)) if newest_objects else set()
        self.keys = {
            name: Shape([one[name] for one in objects if name in one])
            for name in sorted({name for one in objects for name in one})
        }
        lists = [example for example in examples if isinstance(example, list)]
        elements = [element for example in lists for element in example]
        self.elements = Shape(elements) if elements else None

    def faults(
        self, value: Any, path: str = "", *, optional: Sequence[str] = (), rupees: Sequence[str] = ()
    ) -> Iterator[str]:
        """Yield what about a value is not as in the examples.

        ``optional``: keys that may be there though no example has them; ``rupees``: numbers that Kite
        writes as 1 and as 1.5.
        """
        name = path.rpartition(".")[2]
        kind = type(value).__name__
        allowed = self.types | (NUMBERS if self.types & {"float"} or name in rupees else set())
        if kind not in allowed and self.types != {"NoneType"}:
            yield f"{path}: {kind} ({value!r}), expected {sorted(allowed)}"
            return
        if isinstance(value, dict) and self.keys:
            for missing in sorted(self.required - set(value)):
                yield f"{path}.{missing} is missing"
            for key, inner in value.items():
                if key in self.keys:
                    yield from self.keys[key].faults(inner, f"{path}.{key}", optional=optional, rupees=rupees)
                elif key not in optional:
                    yield f"{path}.{key} is in no example"
        if isinstance(value, list) and self.elements is not None:
            for number, element in enumerate(value):
                yield from self.elements.faults(
                    element, f"{path}[{number}]", optional=optional, rupees=rupees
                )
