"""Gymnasium's spaces as Cadre has them: observations are named columns of float32 or uint8,
actions are int32 choices or float32 numbers.

Spaces are known by the names of their classes, so that environments without Gymnasium work too.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from cadre.protocol import bounds_to_json

MASK_COLUMN = "action_mask"


class Unsupported(Exception):
    """A space that Cadre has no counterpart of."""


class WrongValue(Exception):
    """An environment returned something else than its space says."""


def kind_of(space: Any) -> str:
    known = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Dict", "Tuple")
    for base in type(space).__mro__:
        if base.__name__ in known:
            return base.__name__
    return ""


def describe(value: Any) -> str:
    """What came, in a few words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}".replace(" ", "")
    return f"{type(value).__name__} {value!r}"[:80]


class Column:
    """One array of an observation, and how a value of its space is written to it."""

    def __init__(self, name: str, dtype: Any, shape: Sequence[int], low: Any, high: Any):
        self.name = name
        self.dtype = np.dtype(dtype)
        self.shape = tuple(int(size) for size in shape) or (1,)
        self.low, self.high = low, high

    def put(self, value: Any, row: np.ndarray) -> None:
        """Writes one observation to its row, of this column's shape."""
        raise NotImplementedError

    def put_all(self, values: Any, rows: np.ndarray) -> None:
        """The same for a batch, [n] of both."""
        if len(values) != len(rows):
            raise WrongValue(f"{len(values)} observations; wanted {len(rows)}")
        for value, row in zip(values, rows):
            self.put(value, row)

    def wrong(self, value: Any, wanted: Optional[str] = None) -> WrongValue:
        wanted = wanted or f"{self.dtype}{list(self.shape)}".replace(" ", "")
        return WrongValue(f"observation '{self.name}' is {describe(value)}; wanted {wanted}")

    def to_json(self) -> Dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype.name, "shape": list(self.shape),
                "low": bounds_to_json(self.low), "high": bounds_to_json(self.high)}


class BoxColumn(Column):
    """uint8 as it is; every other kind of number as float32."""

    def __init__(self, name: str, space: Any):
        dtype = np.uint8 if space.dtype == np.uint8 else np.float32
        super().__init__(name, dtype, space.shape, space.low, space.high)
        self._space_shape = tuple(space.shape)

    def put(self, value: Any, row: np.ndarray) -> None:
        # The usual case first: this runs for each step of each environment.
        if value.__class__ is np.ndarray and value.dtype == self.dtype and value.shape == row.shape:
            row[...] = value
            return
        row[...] = self._numbers(value, self._space_shape).reshape(self.shape)

    def put_all(self, values: Any, rows: np.ndarray) -> None:
        rows[...] = self._numbers(values, (len(rows), *self._space_shape)).reshape(rows.shape)

    def _numbers(self, value: Any, shape: Tuple[int, ...]) -> np.ndarray:
        array = np.asarray(value)
        numbers = array.dtype == np.uint8 if self.dtype == np.uint8 else array.dtype.kind in "fiub"
        if not numbers or array.shape != shape:
            raise self.wrong(array if array.dtype != object else value)
        return array


class OneHotColumn(Column):
    """Choices as one-hot float32, side by side."""

    def __init__(self, name: str, counts: np.ndarray, starts: np.ndarray):
        total = int(counts.sum())
        super().__init__(name, np.float32, (total,), np.zeros(total), np.ones(total))
        self._counts, self._starts = counts, starts
        self._offsets = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)

    def put(self, value: Any, row: np.ndarray) -> None:
        choices = np.asarray(value).reshape(-1)
        if choices.dtype.kind not in "iub" or choices.shape != self._counts.shape:
            raise self.wrong(value, f"{len(self._counts)} integers")
        choices = choices.astype(np.int64) - self._starts
        if (choices < 0).any() or (choices >= self._counts).any():
            raise self.wrong(value, f"integers from {self._starts.tolist()}, "
                                    f"{self._counts.tolist()} of them")
        row[...] = 0
        row[self._offsets + choices] = 1


class BitsColumn(Column):
    """Bits as float32 0 or 1."""

    def __init__(self, name: str, space: Any):
        shape = tuple(np.atleast_1d(space.shape if space.shape else space.n))
        super().__init__(name, np.float32, shape, np.zeros(shape), np.ones(shape))

    def put(self, value: Any, row: np.ndarray) -> None:
        bits = np.asarray(value)
        if bits.dtype.kind not in "iub" or bits.shape != row.shape:
            raise self.wrong(value)
        row[...] = bits


def part_getter(whole: Callable[[Any], Any], key: Any) -> Callable[[Any], Any]:
    return lambda value: whole(value)[key]


class Observation:
    """The columns of an observation space, and where each is in an observation."""

    def __init__(self, space: Any):
        self.columns: List[Column] = []
        self._getters: List[Callable[[Any], Any]] = []
        self._add(space, "", lambda value: value)
        self._plain = kind_of(space) not in ("Dict", "Tuple")
        names = [column.name for column in self.columns]
        if not names or len(set(names)) < len(names) or MASK_COLUMN in names:
            raise Unsupported(f"observation space {space}: wanted one column or more, with names "
                              f"of their own and other than '{MASK_COLUMN}'")

    def _add(self, space: Any, name: str, getter: Callable[[Any], Any]) -> None:
        kind = kind_of(space)
        leaf = name or "obs"
        column: Column
        if kind in ("Dict", "Tuple"):
            parts = space.spaces
            items = parts.items() if kind == "Dict" else enumerate(parts)
            for key, part in items:
                inner = f"{name}.{key}" if name else str(key)
                self._add(part, inner, part_getter(getter, key))
            return
        if kind == "Box" and np.dtype(space.dtype).kind in "fiub":
            column = BoxColumn(leaf, space)
        elif kind == "Discrete":
            column = OneHotColumn(leaf, np.array([space.n], np.int64),
                                  np.array([getattr(space, "start", 0)], np.int64))
        elif kind == "MultiDiscrete":
            counts = np.asarray(space.nvec, np.int64).reshape(-1)
            column = OneHotColumn(leaf, counts, starts_of(space))
        elif kind == "MultiBinary":
            column = BitsColumn(leaf, space)
        else:
            raise Unsupported(f"observation space {space}{' at ' + name if name else ''}; wanted "
                              "Box, Discrete, MultiDiscrete, MultiBinary, Dict or Tuple")
        self.columns.append(column)
        self._getters.append(getter)

    def put(self, value: Any, row: Sequence[np.ndarray]) -> None:
        """Writes one observation to its row of each column."""
        if self._plain:
            self.columns[0].put(value, row[0])
            return
        for column, getter, part in zip(self.columns, self._getters, row):
            column.put(self._get(getter, value, column), part)

    def put_all(self, values: Any, rows: Sequence[np.ndarray]) -> None:
        """The same for a batch: values as vector environments have them."""
        for column, getter, part in zip(self.columns, self._getters, rows):
            column.put_all(self._get(getter, values, column), part)

    @staticmethod
    def _get(getter: Callable[[Any], Any], value: Any, column: Column) -> Any:
        try:
            return getter(value)
        except (KeyError, IndexError, TypeError):
            raise column.wrong(value) from None


def starts_of(space: Any) -> np.ndarray:
    counts = np.asarray(space.nvec)
    starts = np.broadcast_to(getattr(space, "start", 0), counts.shape)
    return np.asarray(starts, np.int64).reshape(-1)


class Action:
    """An action space: its JSON, and rows of the shared block as actions of the space."""

    def __init__(self, space: Any):
        self.kind = {"Discrete": "discrete", "MultiDiscrete": "multi_discrete",
                     "MultiBinary": "multi_binary", "Box": "continuous"}.get(kind_of(space), "")
        self._shape = tuple(getattr(space, "shape", None) or ())
        self._starts: Any
        self._dtype = getattr(space, "dtype", None) or np.int64
        if self.kind == "discrete":
            self.counts = [int(space.n)]
            self._starts = np.int64(getattr(space, "start", 0))
        elif self.kind == "multi_discrete":
            self.counts = np.asarray(space.nvec).reshape(-1).tolist()
            self._starts = starts_of(space)
        elif self.kind == "multi_binary":
            self.counts = [2] * int(np.prod(np.atleast_1d(space.n)))
            self._shape = tuple(np.atleast_1d(space.n))
        elif self.kind == "continuous" and np.dtype(space.dtype).kind == "f":
            self._low = np.asarray(space.low, np.float32).reshape(-1)
            self._high = np.asarray(space.high, np.float32).reshape(-1)
        else:
            raise Unsupported(f"action space {space}; wanted Discrete, MultiDiscrete, MultiBinary "
                              "or a Box of floats")

    def to_json(self) -> Dict[str, Any]:
        if self.kind != "continuous":
            return {"kind": self.kind, "counts": self.counts}
        finite = [[float(b) if np.isfinite(b) else None for b in bounds]
                  for bounds in (self._low, self._high)]
        return {"kind": self.kind, "low": finite[0], "high": finite[1]}

    def of_rows(self, rows: np.ndarray) -> Any:
        """Actions [n, K] or [n, A] of the block as a batch of the space's, [n, shape...]."""
        if self.kind == "continuous":
            return np.clip(rows, self._low, self._high).astype(self._dtype).reshape(
                len(rows), *self._shape)
        if self.kind == "discrete":
            return rows[:, 0].astype(np.int64) + self._starts
        if self.kind == "multi_discrete":
            rows = rows + self._starts
        return rows.astype(self._dtype).reshape(len(rows), *self._shape)


def allowed_row(mask: Any, counts: Sequence[int]) -> np.ndarray:
    """A mask as Cadre has it, uint8 [alternatives]. A choice without any alternative, as some
    environments show after an episode's end, has all of them."""
    row = np.asarray(mask)
    if row.dtype.kind not in "fiub" or row.size != sum(counts):
        raise WrongValue(f"action mask is {describe(row)}; wanted {sum(counts)} numbers")
    row = (row.reshape(-1) != 0).astype(np.uint8)
    begin = 0
    for count in counts:
        if not row[begin:begin + count].any():
            row[begin:begin + count] = 1
        begin += count
    return row
