"""The board as metrics of Prometheus; names end in their unit, counters in ``_total``."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TypeVar, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from analyzers.status.board import Board, View
from analyzers.status.controls import COMMANDS
from analyzers.status.counts import Counted, Histogram
from analyzers.status.now import AccountNow, DriftNow, Now, State
from analyzers.status.shown import shown_text
from feeds.version import __version__

__all__ = ["BoardCollector", "HttpCounts", "metrics_text"]

_SECONDS_PER_DAY = 86_400.0
_DRIFT_LEVELS = get_args(DriftNow.model_fields["level"].annotation)
_Labels = TypeVar("_Labels", bound=tuple[str, ...])
_LEVELS = ("info", "warning", "error")
_OUTCOMES_OF_CONTROLS = ("done", "refused")
_OUTCOMES_OF_ALERTS = ("sent", "failed", "dropped", "suppressed")


class HttpCounts:
    """Requests answered, by route and status. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, route: str, status: int) -> None:
        """Count a request."""
        with self._lock:
            self._counts[route, str(status)] += 1

    def counted(self) -> dict[tuple[str, str], int]:
        """Return the figures of this moment."""
        with self._lock:
            return dict(self._counts)


class BoardCollector(Collector):
    """Makes the metrics when they are asked for; what is not known has no sample.

    Parameters
    ----------
    board : Board
        Knows everything but the requests.
    requests : HttpCounts
        Knows those.
    mask : callable
        Hides secrets in labels.
    """

    def __init__(self, board: Board, requests: HttpCounts, mask: Callable[[str], str]) -> None:
        self._board = board
        self._requests = requests
        self._mask: Callable[[str], str] = lambda text: shown_text(mask(text))

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the metrics need not be collected to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of this moment."""
        view = self._board.view
        yield InfoMetricFamily("muhurat_build", "Version of the program.", value={"version": __version__})
        yield _gauge("up", "Whether the trading process can be relied upon.", float(not self._board.outage))
        yield _gauge("snapshot_age_seconds", "Age of what it said last.", view.stale_seconds)
        if view.now is not None:
            yield from self._of_now(view.now)
        yield from self._of_logs(self._board.counts.counted(), view.now)
        yield from self._of_alerts(view)
        yield self._counter(
            "http_requests", "Requests to this page.", ("route", "status"), self._requests.counted()
        )

    def _of_now(self, now: Now) -> Iterator[Metric]:
        yield self._gauges(
            "state", "What the trading process is doing.", "state",
            {state: float(state == now.state) for state in get_args(State)},
        )  # fmt: skip
        if now.account is not None:
            yield from self._of_account(now.account)
        yield _gauge("pulse_age_seconds", "Since the main thread last took a turn.", now.pulse_age_seconds)
        if now.feed is not None:
            yield _gauge("tick_age_seconds", "Since the last tick.", now.feed.tick_age_seconds)
        if now.broker is not None:
            yield _gauge("orders_unresolved", "Orders of unknown outcome.", now.broker.unresolved)
        yield self._gauges(
            "risk_limit_used_ratio", "Used part of a risk rule's limit.", "rule",
            {
                rule.name: rule.used / rule.limit
                for rule in now.rules
                if rule.used is not None and rule.limit is not None and rule.limit > 0.0
            },
        )  # fmt: skip
        if now.model is not None and now.model.age_days is not None:
            age = now.model.age_days * _SECONDS_PER_DAY
            yield _gauge("model_age_seconds", "Since the newest bar that the model knows.", age)
        if now.drift is not None:
            level = now.drift.level
            yield self._gauges("drift_psi", "Population stability index.", "feature", now.drift.psi)
            yield self._gauges(
                "drift_level", "Verdict of the last drift check.", "level",
                {name: float(name == level) for name in _DRIFT_LEVELS},
            )  # fmt: skip
        hit_rate = now.hit_rate
        if hit_rate is not None and hit_rate.low is not None and hit_rate.high is not None:
            yield self._gauges(
                "hit_rate_ratio", "Share of the last trades that won, and the band of the backtest.", "kind",
                {"live": hit_rate.wins / hit_rate.trades, "low": hit_rate.low, "high": hit_rate.high},
            )  # fmt: skip
        yield _gauge("kill_switch", "Whether the kill switch is on.", float(bool(now.kill_switch)))
        yield _gauge("entries_paused", "Whether entries are paused.", float(bool(now.paused)))
        yield self._gauges(
            "next_step_timestamp_seconds", "When the next step of the day is due.", "step",
            {step.name: step.at.timestamp() for step in now.plan if step.outcome == "next"},
        )  # fmt: skip

    def _of_account(self, account: AccountNow) -> Iterator[Metric]:
        yield self._gauges(
            "pnl_rupees", "Result of the day, charges paid.", "kind",
            {
                "realised": account.realised_today,
                "unrealised": account.unrealised,
                "net": account.net_today,
            },
        )  # fmt: skip
        yield _gauge("cash_rupees", "Cash of the account.", account.cash)
        yield _gauge("position_units", "Units held, short below zero.", account.position)
        yield _gauge("last_price_points", "Last price, index points.", account.last_price)

    def _of_logs(self, counted: Counted, now: Now | None) -> Iterator[Metric]:
        # A counter that begins with its first event has no rise there: what is known to come begins at 0
        denials: dict[tuple[str, ...], int] = {
            (rule.name,): 0 for rule in (now.rules if now is not None else ())
        }
        denials |= _tuples(counted.denials)
        records: dict[tuple[str, ...], int] = {(level,): 0 for level in _LEVELS} | _tuples(counted.records)
        controls = {(command, outcome): 0 for command in COMMANDS for outcome in _OUTCOMES_OF_CONTROLS}
        controls |= counted.controls
        yield _histogram(
            "decision_latency_seconds",
            "From the last tick of a bar to the entry leaving this machine.",
            counted.decision_latency,
        )
        yield _histogram(
            "order_answer_seconds", "From an order leaving to the broker's answer.", counted.order_answer
        )
        yield self._counter("orders", "Orders.", ("role", "outcome"), counted.orders)
        yield self._counter("entries_denied", "Entries not sent.", ("rule",), denials)
        yield self._counter("trades", "Round trips that are over.", ("result",), _tuples(counted.trades))
        yield self._counter(
            "bars", "Bars of the day.", ("complete",),
            {(str(complete).lower(),): count for complete, count in counted.bars.items()},
        )  # fmt: skip
        yield self._counter("log_records", "Records logged.", ("level",), records)
        yield self._counter("stream_reconnects", "Streams opened anew.", (), {(): counted.reconnects})
        yield self._counter("step_missed", "Steps of the day missed.", (), {(): counted.steps_missed})
        yield self._counter("controls", "Commands by page or chat.", ("command", "outcome"), controls)

    def _of_alerts(self, view: View) -> Iterator[Metric]:
        yield self._counter(
            "alerts", "Alerts.", ("channel", "outcome"),
            {
                (str(channel.get("name")), outcome): int(channel.get(outcome) or 0)
                for channel in view.channels
                for outcome in _OUTCOMES_OF_ALERTS
            },
        )  # fmt: skip
        yield self._gauges(
            "alerts_queued", "Alerts that wait.", "channel",
            {str(channel.get("name")): float(channel.get("queued") or 0) for channel in view.channels},
        )  # fmt: skip

    def _gauges(self, name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
        family = GaugeMetricFamily(f"muhurat_{name}", words, labels=(label,))
        for key, value in values.items():
            family.add_metric((self._mask(key),), value)
        return family

    def _counter(
        self, name: str, words: str, labels: tuple[str, ...], counts: Mapping[_Labels, int]
    ) -> Metric:
        family = CounterMetricFamily(f"muhurat_{name}", words, labels=labels)
        for key, count in counts.items():
            family.add_metric(tuple(map(self._mask, key)), count)
        return family


def metrics_text(registry: CollectorRegistry, accepted: str) -> tuple[bytes, str]:
    """Return the metrics in the form that a scraper accepts, and the type of their content."""
    try:
        encode, content_type = choose_encoder(accepted)
        return encode(registry), content_type
    except (TypeError, ValueError):  # an odd version was asked for
        encode, content_type = choose_encoder("")
        return encode(registry), content_type


def _gauge(name: str, words: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(f"muhurat_{name}", words)
    if value is not None:
        family.add_metric((), value)
    return family


def _histogram(name: str, words: str, histogram: Histogram) -> Metric:
    bounds = [*map(str, histogram.bounds_seconds), "+Inf"]
    return HistogramMetricFamily(
        f"muhurat_{name}",
        words,
        buckets=list(zip(bounds, accumulate(map(float, histogram.counts)), strict=True)),
        sum_value=histogram.sum_seconds,
    )


def _tuples(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(key,): count for key, count in counts.items()}
