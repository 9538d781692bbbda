"""The demo's exchange: a sandbox in a child process, a day to replay, and a model where none is at hand."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from brokers.choice import chosen_broker
from brokers.kite.settings import KiteSettings
from brokers.settings import BrokerSettings
from brokers.upstox.settings import UpstoxSettings
from feeds.calendar import TradingCalendar
from feeds.clock import Clock
from feeds.errors import BrokerError, DataError, MuhuratError, SettingsError
from feeds.log import Log
from feeds.readers.ticks import read_ticks
from feeds.secrets import Secrets
from ml.features import FeatureSet
from ml.registry import ModelRegistry
from strategies.live_request import LiveRequest
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.plugins import models_of
from strategies.settings import Settings

__all__ = ["DEMO_DAY", "DemoExchange"]

DEMO_DAY = dt.date(2026, 10, 15)
"""The session of a synthetic demo: an ordinary Thursday with today's hours and lot."""

_START_SECONDS = 90
_COMPLAINT = "error: "
_LEFT_BY_A_FALSE_START = {"live.log", "models"}
_END_SECONDS = 10
_TRAINING_SESSIONS = 250
_DEMO_PRICE = 25_000.0


class DemoExchange:
    """A sandbox exchange that lives as long as the block it is used in.

    Parameters
    ----------
    request : LiveRequest
        Of a demo.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        Dates the model that is trained here, if one is.

    Attributes
    ----------
    request : LiveRequest
        The same with day, addresses, credentials and model of the demo filled in.
    """

    def __init__(self, request: LiveRequest, calendar: TradingCalendar, clock: Clock) -> None:
        self._calendar = calendar
        self._clock = clock
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self._complaint = ""
        day = request.day or _day_of(request.ticks) or DEMO_DAY
        if calendar.session(day) is None:
            raise SettingsError(f"--day {day} has no session in the calendar, expected a trading day")
        if request.out_dir is not None and request.out_dir.is_dir() and _is_used(request.out_dir):
            raise SettingsError(
                f"--out {request.out_dir} is not empty, expected a new folder: a demo begins anew; choose "
                "another name or remove it"
            )
        self.request = replace(request, day=day, synthetic=request.ticks is None)

    def prepare(self, log: Log) -> None:
        """Train the model of the demo, unless the strategy asks none or the user has one."""
        self.request = self._with_model(self.request, log)

    def __enter__(self) -> Self:
        try:
            self.request = self._with_addresses(self.request, self._start(self.request))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    # -- the exchange ----------------------------------------------------------------------------

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._listener is not None:
            self._listener.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

    def _start(self, request: LiveRequest) -> dict[str, Any]:
        """Start the sandbox and return what its first line says."""
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", "brokers", "sandbox", *self._arguments(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
            start_new_session=True,  # Ctrl-C in a terminal is for us: the exchange has to outlive our exit
        )
        self._listener = threading.Thread(
            target=self._listen, args=(process, request.quiet), name="sandbox-notes", daemon=True
        )
        self._listener.start()
        line = process.stdout.readline() if process.stdout else ""
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError as error:
            code = process.wait(_START_SECONDS)
            self._listener.join()
            if self._complaint:
                kinds: dict[int, type[MuhuratError]] = {2: SettingsError, 3: DataError}
                raise kinds.get(code, BrokerError)(self._complaint) from error
            raise BrokerError(
                f"the sandbox exchange did not start (exit code {code}, first line {line[:80]!r}); "
                "run `python -m brokers sandbox` to see why"
            ) from error
        return told

    def _listen(self, process: subprocess.Popen[str], quiet: bool) -> None:
        """Pass on what the sandbox tells a person, until it ends; keep what it complains of."""
        is_shown = not quiet
        for line in process.stderr or ():
            if line.startswith(_COMPLAINT):
                self._complaint = line.removeprefix(_COMPLAINT).strip()
            elif is_shown:
                try:
                    sys.stderr.write(line)
                except (OSError, ValueError):  # nobody reads any more; the sandbox must not block on that
                    is_shown = False

    def _arguments(self, request: LiveRequest) -> list[str]:
        settings = request.settings
        arguments = {
            "--day": str(request.day),
            "--instrument": settings.market.instrument,
            "--speed": f"{request.speed:g}",
            "--cash": repr(settings.broker.starting_cash),
            "--access-token": self._token,
            # Each day has prices of its own, and the same ones every time
            "--seed": str(abs(((request.day or DEMO_DAY) - DEMO_DAY).days)),
        }
        if request.ticks is not None:
            arguments["--ticks"] = str(request.ticks.resolve())
        if request.data_given and settings.data.source != "synthetic":
            arguments["--history"] = str(Path(settings.data.source).resolve())
        return [part for pair in arguments.items() for part in pair] + ["--exit-with-parent"]

    def _with_addresses(self, request: LiveRequest, told: dict[str, Any]) -> LiveRequest:
        settings = request.settings
        key_name, _, token_name = chosen_broker(settings.broker).secret_names
        credentials = {key_name: told["api_key"], token_name: self._token}
        return replace(
            request,
            settings=settings.model_copy(update={"broker": _at_sandbox(settings.broker, told)}),
            secrets=Secrets(credentials | request.secrets.chosen(["STATUS_TOKEN"])),
        )

    # -- the model -------------------------------------------------------------------------------

    def _with_model(self, request: LiveRequest, log: Log) -> LiveRequest:
        settings = request.settings
        if request.model is not None or None not in models_of(settings.strategy).values():
            return request
        if self._has_champion(settings):
            return replace(request, model="champion")
        registry = str((request.out_dir or Path()) / "models")
        ml = settings.ml.model_copy(update={"registry": registry})
        training = settings.model_copy(update={"ml": ml, "data": self._training_data(request)})
        last = (request.day or DEMO_DAY) - dt.timedelta(days=1)
        is_synthetic = training.data.source == "synthetic"
        log.info("demo_model", bars="made-up bars" if is_synthetic else training.data.source)
        bars = load_run_bars(training, self._calendar, last=last)
        model = prepare_model(training, bars, "train", now=self._clock.now())
        return replace(
            request,
            settings=settings.model_copy(update={"ml": ml}),
            model=str(model.info["version"]),
            model_is_synthetic=is_synthetic,
        )

    def _has_champion(self, settings: Settings) -> bool:
        registry = ModelRegistry(settings.ml.registry)
        if registry.champion is None:
            return False
        registry.load("champion", FeatureSet(settings.ml.features))
        return True

    def _training_data(self, request: LiveRequest) -> Any:  # noqa: ANN401 # a DataSettings
        """Return the bars to learn from: the user's, or synthetic ones with a pattern that can be learnt."""
        data = request.settings.data
        if request.data_given and data.source != "synthetic":
            return data
        day = request.day or DEMO_DAY
        before = self._calendar.sessions(max(self._calendar.first_date, day - dt.timedelta(days=500)), day)
        first = before[max(0, len(before) - 1 - _TRAINING_SESSIONS)].date
        synthetic = data.synthetic.model_copy(
            update={
                "first_date": first, "sessions": min(_TRAINING_SESSIONS, len(before) - 1), "edge": "momentum",
                "start_price": _DEMO_PRICE,
            }
        )  # fmt: skip
        return data.model_copy(update={"source": "synthetic", "synthetic": synthetic})


def _at_sandbox(broker: BrokerSettings, told: dict[str, Any]) -> BrokerSettings:
    """Return the settings with the addresses of the sandbox for the broker that they name."""
    root = told["api_root"]
    section: KiteSettings | UpstoxSettings
    if broker.name == "kite":
        section = broker.kite.model_copy(update={"api_root": root, "ticker_root": told["ticker_root"]})
    else:
        addresses = {"api_root": root, "order_root": root, "instruments_url": told["instruments_url"]}
        section = broker.upstox.model_copy(update=addresses)
    return broker.model_copy(update={broker.name: section})


def _is_used(folder: Path) -> bool:
    """Whether a folder holds more than a demo that did not begin leaves behind."""
    return any(file.name not in _LEFT_BY_A_FALSE_START for file in folder.iterdir())


def _day_of(ticks: Path | None) -> dt.date | None:
    """Return the day of a tick file, None where there is no file."""
    if ticks is None:
        return None
    days = sorted({tick.time.date() for tick in read_ticks(ticks)})
    if not days:
        raise DataError(f"{ticks} holds no trade, expected recorded ticks; give another file")
    if len(days) > 1:
        raise DataError(f"{ticks} holds {len(days)} days, {days[0]} to {days[-1]}; choose one with --day")
    return days[0]
