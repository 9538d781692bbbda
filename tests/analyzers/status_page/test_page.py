"""The page in a real browser: what it shows at each moment of a day, and how it takes a change."""

import pytest

from tests.analyzers.status_page import examples
from tests.analyzers.status_page.browsing import IN_A_BROWSER

pytestmark = IN_A_BROWSER

# The contrast of every text with what lies behind it; what is disabled, or told to be old, is exempt
FAINT_TEXTS = """() => {
  const parts = (colour) => { const found = colour.match(/[\\d.]+/g).map(Number); return found.length < 4 ? [...found, 1] : found; };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      if (style.backgroundImage !== "none") return null;
      const colour = parts(style.backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || !node.checkVisibility() || node.closest(":disabled, .unseen, noscript, script, .old .board, .old #next")) continue;
    const back = behind(node);
    if (!back) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`);
  }
  return faint;
}"""  # noqa: E501

DRAWN = """(id) => {
  const canvas = document.getElementById(id);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 820, 390])
def test_every_moment_is_shown_whole_and_legible(visit, width, scheme):
    for name, make in examples.EXAMPLES.items():
        opened = visit(make(), width=width, scheme=scheme)
        assert opened.complaints == [], name
        overflow = opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, name
        assert opened.page.evaluate(FAINT_TEXTS) == [], name
        opened.page.context.close()


@pytest.mark.parametrize(
    ("name", "word", "title", "tone"),
    [
        ("trading", "trading", "TRADING +₹1,469 · NIFTY26SEPFUT · Muhurat", "good"),
        ("paused", "paused", "PAUSED +₹2,686 · NIFTY26SEPFUT · Muhurat", "warn"),
        ("halted", "halted", "HALTED +₹2,686 · NIFTY26SEPFUT · Muhurat", "bad"),
        ("closed", "closed", "CLOSED +₹2,686 · NIFTY26SEPFUT · Muhurat", "calm"),
        ("silent", "Silent", "SILENT · NIFTY26SEPFUT · Muhurat", "bad old"),
        ("first_minute", "trading", "TRADING ₹0 · NIFTY26SEPFUT · Muhurat", "good"),
        ("no_go", "starting", "STARTING · NIFTY26SEPFUT · Muhurat", "bad"),
        ("in_trouble", "trading", "TRADING +₹1,469 · NIFTY26SEPFUT · Muhurat", "bad"),
        ("no_word", "No word yet", "NO WORD YET · Muhurat", "bad"),
    ],
)
def test_the_state_is_told_first_also_in_the_title_and_the_colour(visit, name, word, title, tone):
    opened = visit(examples.EXAMPLES[name]())
    assert opened("#state-word").inner_text().lower() == word.lower()
    assert opened.page.title() == title
    assert opened("body").get_attribute("class") == tone
    assert opened("#icon").get_attribute("href").startswith("data:image/svg+xml")


@pytest.mark.parametrize(
    ("name", "mode"), [("trading", "LIVE"), ("paused", "PAPER"), ("first_minute", "DEMO")]
)
def test_the_mode_cannot_be_mistaken(visit, name, mode):
    opened = visit(examples.EXAMPLES[name]())
    assert opened("#mode").inner_text().startswith(mode)
    assert opened("#synthetic").is_visible() == (name == "first_minute")


def test_a_day_with_a_position(visit):
    opened = visit(examples.trading())
    assert "130 units, 2 lots of NIFTY26SEPFUT" in opened("#position").inner_text()
    assert opened("#position .way").get_attribute("aria-valuenow") == "32"
    assert opened("#trades-table tbody tr").count() == 4
    assert opened("#orders-table tbody tr").count() == 13
    assert "cooldown: 2 losses in a row" in opened("#orders").inner_text()
    assert "₹1,320 of ₹20,000" in opened("#risk").inner_text()
    assert "18 · 41 ms" in opened("#health").inner_text()
    assert "square off 15:20, in 3 h 15 min" in opened("#next").inner_text()
    assert opened("#prediction .bar").count() == 3
    assert opened("#prediction u").count() == 2  # a threshold each for buy and sell
    assert opened.page.evaluate(DRAWN, "candles") > 20
    assert opened.page.evaluate(DRAWN, "equity") > 10


def test_what_is_not_known_is_not_called_flat(visit):
    opened = visit(examples.no_word())
    assert "Flat" not in opened("#position").inner_text()
    assert "Not known" in opened("#position").inner_text()


def test_a_position_without_a_stop_is_an_alarm(visit):
    assert "No stop is known" in visit(examples.in_trouble())("#position .alarm").inner_text()


def test_a_silent_process_is_told_with_what_it_held(visit):
    opened = visit(examples.silent())
    assert "silent for 74 s" in opened("#alarm").text_content()
    assert "It held +130 NIFTY26SEPFUT" in opened("#why").inner_text()


@pytest.mark.parametrize(("stale", "word"), [(14.9, "trading"), (15.0, "trading"), (15.1, "silent")])
def test_silence_begins_behind_fifteen_seconds(visit, stale, word):
    assert visit(examples.status_of(stale=stale))("#state-word").inner_text().lower() == word


def test_a_change_is_seen_without_reload(visit):
    opened = visit(examples.trading())
    opened.page.evaluate("window.isSamePage = true")
    opened.server.status = examples.halted()
    opened.waits_for("#state-word", "halted")
    opened.waits_for("#position", "Flat")
    assert opened("#trades-table tbody tr").count() == 3
    assert opened.page.evaluate("window.isSamePage")


def test_an_unchanged_state_is_not_sent_again_and_not_drawn_again(visit):
    opened = visit(examples.trading())
    opened.page.evaluate("document.querySelector('#trades-table tbody tr').id = 'kept'")
    with opened.page.expect_response(lambda answer: answer.status == 304):
        pass
    changed = examples.trading()
    changed["now"]["feed"]["tick_age_seconds"] = 7.0
    opened.server.status = changed
    opened.waits_for("#health", "7.0 s ago")
    assert opened("#kept").count() == 1


def test_a_lost_connection_is_told_and_the_page_comes_back(visit):
    opened = visit(examples.trading())
    opened.server.status = None
    opened.waits_for("#state-word", "Connection lost")
    assert "reading of the files hangs" in opened("#why").inner_text()
    assert opened("#flatten").is_disabled()
    opened.server.status = examples.paused()
    opened.waits_for("#state-word", "paused")
    opened.waits_for("#flatten:enabled")


def test_a_dead_server_is_told(visit):
    opened = visit(examples.trading())
    opened.server.stop()
    opened.waits_for("#state-word", "Connection lost")
    assert "It held +130 NIFTY26SEPFUT" in opened("#why").inner_text()


def test_hostile_texts_stay_texts(visit):
    hostile = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>\u202e'
    status = examples.in_trouble()
    status["now"] |= {
        "why": hostile,
        "symbol": hostile,
        "strategy": hostile,
        "paused": hostile,
        "folder": hostile,
    }
    status["now"]["state"] = "paused"
    status["now"]["orders"][0] |= {"reason": hostile, "rule": hostile, "role": hostile, "state": hostile}
    status["now"]["rules"][0] |= {"name": hostile, "description": hostile, "blocks": hostile}
    status["now"]["trades"][0]["exit_reason"] = hostile
    status["now"]["plan"][0] |= {"name": hostile, "outcome": hostile}
    status["now"]["preflight"][0] |= {
        "name": hostile,
        "words": hostile,
        "outcome": hostile,
        "remedy": hostile,
    }
    status["now"]["drift"] |= {"words": hostile, "psi": {hostile: 0.3}}
    status["now"]["mode"] = hostile
    status["prediction"]["denied"] = hostile
    status["health"]["reasons"].append(hostile)
    status["events"] = [{"time": hostile, "level": hostile, "event": hostile, "words": hostile}]
    status["alerts"]["channels"][0] |= {"name": hostile, "last_error": hostile}
    status["days"][0] |= {"day": hostile, "mode": hostile, "outcome": hostile}
    opened = visit(status)
    assert opened.complaints == []
    assert opened("img").count() == 0
    assert opened("body script").count() == 0
    assert opened.page.evaluate("window.hurt") is None
    assert "<img src=x" in opened("#events").inner_text()


def test_the_theme_is_chosen_and_remembered(visit):
    opened = visit(examples.trading())
    before = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.page.click("#theme")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    opened.page.reload()
    opened.waits_for("#candles[data-ready=true]")
    assert opened("html").get_attribute("data-theme") == "dark"


def test_on_a_phone_the_controls_are_at_hand_and_the_money_comes_first(visit):
    opened = visit(examples.trading(), width=390)
    boxes = [opened(f"#{name}").bounding_box() for name in ("pause", "flatten", "kill")]
    assert all(box["y"] + box["height"] <= 844 for box in boxes)
    order = (
        "state",
        "pnl",
        "position",
        "prices",
        "prediction",
        "risk",
        "trades",
        "orders",
        "health",
        "plan",
        "events",
    )
    tops = [opened(f"#{name}").bounding_box()["y"] for name in order]
    assert tops == sorted(tops)


def test_events_can_be_cut_down_to_warnings(visit):
    opened = visit(examples.trading())
    assert opened("#events-list li").count() > 5
    opened.page.click("#loud")
    assert opened("#events-list li").count() == 1


def test_the_chart_reads_out_the_bar_under_the_pointer_and_by_keys(visit):
    opened = visit(examples.trading())
    last = opened("#readout").inner_text()
    opened("#candles").hover(position={"x": 60, "y": 100})
    hovered = opened("#readout").inner_text()
    assert hovered != last
    opened("#candles").focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened("#readout").inner_text() not in (last, hovered)


def test_the_open_trade_says_why_it_was_entered(visit):
    shown = examples.EXAMPLES["trading"]()
    opened = visit(shown)
    why = "return_zscore +0.21, volume_ratio_20 +0.17, hour_sin -0.04"
    assert opened.page.locator("#position-body .why").inner_text() == f"Why {why}"
    assert opened.page.locator("#trades-table tbody tr").first.get_attribute("title") == why
    for decision in shown["decisions"]:
        decision["why"] = ""
    assert visit(shown).page.locator(".why").count() == 0


def test_challengers_stand_beside_the_champion(visit):
    opened = visit(examples.trading())
    rows = [
        " ".join(row.inner_text().split()) for row in opened.page.locator("#challengers-table tbody tr").all()
    ]
    assert rows == [
        "Champion ml v0012 3 +₹2,295 long 130 −₹8,140",
        "new model ml v0007 3 +₹4,121 flat −₹3,310",
        "crossing means ema_cross 5 −₹6,544 short 130 −₹41,200",
        "typing error no model 'v0070' in models; known: v0001, v0007",
    ]
    words = opened("#challengers-words").inner_text()
    assert "As of the bar that began at 11:21." in words
    assert "the 6 days on which new model ran" in words
    alone = examples.trading() | {"challengers": []}
    assert not visit(alone)("#challengers").is_visible()
