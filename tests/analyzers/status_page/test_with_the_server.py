"""The page on the server it is made for: they agree on answers, headers, tokens and sessions."""

import pytest

from analyzers.status.now import write_now
from analyzers.status.server import StatusServer
from analyzers.status.settings import StatusSettings
from tests.analyzers.status.examples import TOKEN, Sent, account_of, app_of, board_of, now_of
from tests.analyzers.status_page.browsing import IN_A_BROWSER

pytestmark = IN_A_BROWSER

ORDER_OF_ANOTHER_SITE = """([address, kind, mode]) => fetch(address, {
  method: "POST", credentials: "include", mode, headers: {"Content-Type": kind}, body: "{}",
}).catch(() => null)"""


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def board(state):
    return board_of(state, now_of())


@pytest.fixture
def server(board, sent):
    serving = StatusServer(app_of(board, send=sent, settings=StatusSettings()), "127.0.0.1", 0)
    serving.start()
    yield serving
    serving.stop()


def test_the_page_runs_under_the_policy_of_the_server(visit, server):
    opened = visit(server, ready="#pause:enabled")
    assert opened.complaints == []
    assert "+130 NIFTY26SEPFUT" not in opened("#confirm").inner_text()
    assert "130 units of NIFTY26SEPFUT" in opened("#position").inner_text()


def test_a_change_of_the_files_is_seen(visit, server, board, state):
    opened = visit(server, ready="#pause:enabled")
    account = account_of(position=0, average_price=None, stop_price=None, target_price=None, open_words="")
    write_now(now_of(account=account), state)
    board.poll()
    opened.waits_for("#position", "Flat")


def test_a_control_goes_through_token_session_and_csrf(visit, server, sent):
    opened = visit(server, ready="#pause:enabled")
    opened.page.click("#flatten")
    opened.log_in("a guess")
    opened.waits_for("#token-error", "not the token")
    opened.log_in(TOKEN)
    opened.page.click("#confirm-do")
    opened.waits_for(".toast.done", "paused")
    assert [command for command, *_ in sent.commands] == ["flatten"]


def test_another_site_cannot_order_anything(visit, server, sent):
    opened = visit(server, ready="#pause:enabled")
    opened.page.click("#access")
    opened.log_in(TOKEN)
    opened.waits_for("#access", "Lock")
    address = f"{server.url.rstrip('/')}/api/control/flatten"
    # localhost is another site than 127.0.0.1, and its page carries no policy of ours
    other = opened.page.context.new_page()
    other.route(
        "http://localhost/**", lambda route: route.fulfill(content_type="text/html", body="<p>hi</p>")
    )
    other.goto("http://localhost/")
    for kind, mode in (("text/plain", "no-cors"), ("application/json", "cors")):
        other.evaluate(ORDER_OF_ANOTHER_SITE, [address, kind, mode])
    other.set_content(f'<form method="post" action="{address}"><button>win</button></form>')
    other.click("button")
    other.wait_for_load_state()
    assert sent.commands == []
