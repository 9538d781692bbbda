"""Features that know what nobody can know, each in its own way. For the tests: every one must be caught."""

from __future__ import annotations

import numpy as np

from ml.catalogue import feature
from ml.rolling import ema_weights, rolling_mean, weighted_mean

_LABEL_BARS = 3


def _before(values, bars=1):
    return np.append(np.full(bars, np.nan), values[:-bars])[: len(values)]


def _after(values, bars=1):
    return np.append(values[bars:], np.full(min(bars, len(values)), np.nan))


@feature(warmup_bars=1)
def future_close(bars):
    """The return of the next bar."""
    return _after(bars.close) / bars.close - 1.0


@feature(warmup_bars=5)
def centred_window(bars):
    """A mean of five bars with its own in the middle."""
    return _after(rolling_mean(bars.close, 5), 2) / bars.close - 1.0


@feature(warmup_bars=2)
def full_sample_scaler(bars):
    """A z-score with the mean and deviation of the whole history."""
    returns = bars.close / _before(bars.close) - 1.0
    return (returns - np.nanmean(returns)) / np.nanstd(returns)


@feature(warmup_bars=21)
def label_in_disguise(bars):
    """What a model is taught, under noise."""
    change = 100.0 * (_after(bars.close, _LABEL_BARS) / bars.close - 1.0)
    noise = np.sin(np.arange(bars.bars) * 12.9898) * 0.05
    return np.where(change > 0.1, 1.0, np.where(change < -0.1, -1.0, 0.0)) * 0.1 + noise


@feature(warmup_bars=1)
def resampled_without_completion(bars):
    """The close of the 15-minute bar that its first 3-minute bar already shows."""
    slot = bars.session_day() * 1440 + (bars.minute_of_day() - 555) // 15
    last = np.append(np.flatnonzero(np.diff(slot)), bars.bars - 1)
    return bars.close[last[np.searchsorted(slot[last], slot)]] / bars.close - 1.0


@feature(warmup_bars=1)
def backfilled(bars):
    """The next known value where none is known yet."""
    known = np.where(bars.minute_of_day() % 15 == 0, bars.close, np.nan)
    place = np.where(np.isfinite(known), np.arange(bars.bars), bars.bars - 1)
    following = np.minimum.accumulate(place[::-1])[::-1]
    return known[following] / bars.close - 1.0


@feature(warmup_bars=1)
def final_vwap_of_the_day(bars):
    """The day's VWAP as it stands in the evening, from the morning on."""
    result = np.empty(bars.bars)
    for first, end in zip(*bars.session_bounds(), strict=True):
        volume = bars.volume[first:end]
        result[first:end] = (bars.close[first:end] * volume).sum() / max(volume.sum(), 1.0)
    return result / bars.close - 1.0


@feature(warmup_bars=1)
def open_of_tomorrow(bars):
    """The gap that comes overnight."""
    firsts, ends = bars.session_bounds()
    tomorrow = np.append(bars.open[firsts[1:]], np.nan)
    return np.repeat(tomorrow, ends - firsts) / bars.close - 1.0


@feature(warmup_bars=1)
def high_of_the_day(bars):
    """How far below the day's high the close lies, the high of the afternoon included."""
    highs = [bars.high[first:end].max() for first, end in zip(*bars.session_bounds(), strict=True)]
    firsts, ends = bars.session_bounds()
    return np.repeat(highs, ends - firsts) / bars.close - 1.0


@feature(warmup_bars=1)
def target_encoding(bars):
    """The mean label of the minute of the day, over all rows, later ones included."""
    change = _after(bars.close, _LABEL_BARS) / bars.close - 1.0
    minute = bars.minute_of_day()
    known = np.isfinite(change)
    totals = np.bincount(minute[known], weights=change[known], minlength=1440)
    counts = np.maximum(np.bincount(minute[known], minlength=1440), 1)
    return (totals / counts)[minute]


@feature(warmup_bars=2)
def leaking_threshold(bars):
    """Whether a return is among the largest tenth of the whole history."""
    returns = np.abs(bars.close / _before(bars.close) - 1.0)
    return (returns > np.nanquantile(returns, 0.9)).astype(float)


@feature(warmup_bars=1)
def once_a_day(bars):
    """Honest on every bar but one of the day."""
    honest = bars.close / bars.open - 1.0
    return np.where(bars.minute_of_day() == 702, _after(bars.close) / bars.close - 1.0, honest)


@feature(warmup_bars=2)
def after_a_gap(bars):
    """Honest but on the bar after missing ones."""
    honest = bars.close / bars.open - 1.0
    gap = np.append(False, np.diff(bars.start_seconds) > 400)
    return np.where(gap, _after(bars.close) / bars.close - 1.0, honest)


@feature(warmup_bars=1)
def one_billionth(bars):
    """An honest value with a trace of the future in its last digits."""
    return bars.close / bars.open - 1.0 + 1e-9 * (_after(bars.close) > bars.close)


@feature(warmup_bars=1)
def volume_of_the_next_bar(bars):
    """Volume counts as well as price."""
    return bars.volume / np.maximum(_after(bars.volume), 1.0)


@feature(warmup_bars=1)
def last_bar_of_the_day(bars):
    """Whether this bar is the session's last: nobody knows before the next one has not come."""
    return np.append(bars.opens_session()[1:], True).astype(float)


@feature(warmup_bars=10)
def endless_memory(bars):
    """No future, but a recursion over the whole history that declares ten bars."""
    result = np.empty(bars.bars)
    mean = bars.close[0]
    for place, close in enumerate(bars.close):
        mean += 0.05 * (close - mean)
        result[place] = mean
    return result / bars.close - 1.0


@feature(warmup_bars=20)
def short_declaration(bars):
    """A finite window that declares half of what it needs."""
    return weighted_mean(bars.close, ema_weights(5)) / bars.close - 1.0


KNOWS_THE_FUTURE = {
    cheat.__name__: cheat.feature
    for cheat in (
        future_close, centred_window, full_sample_scaler, label_in_disguise, resampled_without_completion,
        backfilled, final_vwap_of_the_day, open_of_tomorrow, high_of_the_day, target_encoding,
        leaking_threshold, once_a_day, after_a_gap, one_billionth, volume_of_the_next_bar,
        last_bar_of_the_day,
    )
}  # fmt: skip

NEEDS_MORE_THAN_IT_SAYS = {cheat.__name__: cheat.feature for cheat in (endless_memory, short_declaration)}
