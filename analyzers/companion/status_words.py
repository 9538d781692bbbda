"""How it goes, in a few lines: the answer to a question asked in a chat."""

from __future__ import annotations

from analyzers.status.now import Now

__all__ = ["status_words"]


def status_words(now: Now | None, stale_seconds: float) -> str:
    """Return a few lines of plain text.

    Parameters
    ----------
    now : Now or None
        None where nothing was written yet.
    stale_seconds : float
        Age of ``now``.
    """
    if now is None:
        return "The trading process has not said anything yet."
    lines = [f"{now.mode.upper()} {now.strategy} on {now.symbol or now.instrument}", _state(now)]
    if stale_seconds > 15.0:
        lines.insert(0, f"SILENT: the trading process has not been heard of for {stale_seconds:.0f} s.")
    account = now.account
    if account is not None:
        lines.append(f"Day: {account.net_today:+,.0f} rupees ({account.realised_today:+,.0f} realised)")
        lines.append(_position(now))
        closed = [trade for trade in now.trades if trade.net_pnl is not None]
        lines.append(f"{len(closed)} trades closed, {account.entries_today} entries")
    if now.feed is not None and now.feed.tick_age_seconds is not None:
        lines.append(f"Last tick {now.feed.tick_age_seconds:.0f} s ago")
    following = next((step for step in now.plan if step.outcome == "next"), None)
    if following is not None:
        lines.append(f"Next: {following.name.replace('_', ' ')} at {following.at:%H:%M on %a %d %b}")
    return "\n".join(lines)


def _state(now: Now) -> str:
    return f"{now.state.upper()}: {now.why}" if now.why else now.state.upper()


def _position(now: Now) -> str:
    account = now.account
    if account is None or not account.position:
        return "Flat"
    side = "Long" if account.position > 0 else "Short"
    words = f"{side} {abs(account.position)}"
    if account.average_price is not None and account.last_price is not None:
        words += f" from {account.average_price:.2f}, last {account.last_price:.2f}"
    words += f", open {account.unrealised:+,.0f} rupees"
    if account.stop_price is not None and account.target_price is not None:
        words += f", stop {account.stop_price:.2f}, target {account.target_price:.2f}"
    return words
