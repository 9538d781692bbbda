"""The controls of the page in a real browser: what is asked before, what is sent, and what is told."""

import pytest

from tests.analyzers.status_page import examples
from tests.analyzers.status_page.browsing import IN_A_BROWSER

pytestmark = IN_A_BROWSER


def unlocked(server):
    server.has_session = True


def test_the_token_is_asked_for_once(visit):
    opened = visit(examples.trading(), ready="#pause:enabled")
    opened.page.click("#pause")
    opened.waits_for("#token[open]")
    opened.page.fill("#token-field", "guessed")
    opened.page.click("#token-send")
    opened.waits_for("#token-error", "not the token")
    assert opened.server.commands == []
    opened.log_in()
    opened.waits_for(".toast.done", "as you say")
    opened.page.click("#pause")
    opened.waits_for(".toast.done >> nth=1")
    assert opened.server.commands == [("pause", {}), ("pause", {})]


def test_without_the_token_nothing_is_sent(visit):
    opened = visit(examples.trading(), ready="#kill:enabled")
    opened.page.click("#kill")
    opened.waits_for("#token[open]")
    opened.page.click("#token-cancel")
    opened.waits_for("#token:not([open])")
    assert not opened("#confirm").is_visible()
    assert opened.server.commands == []


def test_flatten_tells_what_it_will_do_and_does_it(visit):
    opened = visit(examples.trading(), ready="#flatten:enabled", prepare=unlocked)
    opened.page.click("#flatten")
    assert "LIVE" in opened("#confirm-mode").inner_text()
    words = opened("#confirm").inner_text()
    assert "Close +130 NIFTY26SEPFUT at the market" in words
    assert "Pause entries until you resume" in words
    opened.page.click("#confirm-do")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("flatten", {})]


@pytest.mark.parametrize("how", ["button", "escape", "enter"])
def test_the_easy_answer_to_a_question_is_no(visit, how):
    opened = visit(examples.trading(), ready="#kill:enabled", prepare=unlocked)
    opened.page.click("#kill")
    opened.waits_for("#confirm[open]")
    if how == "button":
        opened.page.click("#confirm-cancel")
    else:
        opened.page.keyboard.press(how.capitalize())
    opened.waits_for("#confirm:not([open])")
    opened.page.click("#pause")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("pause", {})]


def test_a_question_follows_the_position(visit):
    opened = visit(examples.trading(), ready="#flatten:enabled", prepare=unlocked)
    opened.page.click("#flatten")
    opened.server.status = examples.status_of(is_open=False)
    opened.waits_for("#confirm-words", "Nothing is open now")


def test_a_question_to_a_silent_process_says_so(visit):
    opened = visit(examples.silent(), ready="#flatten:enabled", prepare=unlocked)
    opened.page.click("#flatten")
    opened.waits_for("#confirm-words", "may not be carried out")


def test_lifting_the_kill_switch_needs_the_word(visit):
    opened = visit(examples.halted(), ready="#kill:has-text('Lift')", prepare=unlocked)
    opened.page.click("#kill")
    for typed, can in (("", False), ("LIF", False), ("lift", False), ("LIFTS", False), ("LIFT", True)):
        opened.page.fill("#confirm-field", typed)
        assert opened("#confirm-do").is_enabled() == can, typed
    opened.page.keyboard.press("Enter")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("lift", {"word": "LIFT"})]


def test_paused_entries_are_resumed(visit):
    opened = visit(examples.paused(), ready="#pause:has-text('Resume')", prepare=unlocked)
    opened.page.click("#pause")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("resume", {})]


@pytest.mark.parametrize(
    ("code", "answer", "outcome", "words"),
    [
        (409, {"outcome": "refused", "words": "there is no session"}, "refused", "there is no session"),
        (202, {"outcome": "unknown", "words": "no answer within 3 s"}, "unknown", "no answer within 3 s"),
        (500, {}, "refused", "answered 500"),
        (429, {"error": "too many wrong tokens"}, "refused", "too many wrong tokens"),
    ],
)
def test_what_came_of_it_is_told(visit, code, answer, outcome, words):
    opened = visit(examples.trading(), ready="#pause:enabled", prepare=unlocked)
    opened.server.answer = (code, answer)
    opened.page.click("#pause")
    opened.waits_for(f".toast.{outcome}", words)
    opened.waits_for("#pause:enabled")


def test_a_server_gone_meanwhile_is_not_taken_for_a_refusal(visit):
    opened = visit(examples.trading(), ready="#pause:enabled", prepare=unlocked)
    opened.page.route("**/api/control/*", lambda route: route.abort())
    opened.page.click("#pause")
    opened.waits_for(".toast.unknown", "may or may not have been carried out")


def test_a_session_that_has_ended_is_begun_anew(visit):
    opened = visit(examples.trading(), ready="#pause:enabled", prepare=unlocked)
    opened.server.has_session = False
    opened.page.click("#pause")
    opened.log_in()
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("pause", {})]


def test_the_csrf_token_of_a_restarted_server_is_fetched(visit):
    opened = visit(examples.trading(), ready="#pause:enabled", prepare=unlocked)
    opened.server.csrf = "that of the new one"
    opened.page.click("#pause")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("pause", {})]


def test_a_page_that_only_shows_says_why(visit):
    status = examples.trading() | {"controls": {"can": False, "why_not": "this page only shows"}}
    opened = visit(status, ready="#why-not:has-text('only shows')")
    assert all(opened(f"#{name}").is_disabled() for name in ("pause", "flatten", "kill"))


def test_reading_needs_the_token_where_the_server_says_so(visit):
    def locked(server):
        server.needs_token = True

    opened = visit(examples.trading(), ready="#token[open]", prepare=locked)
    assert "NIFTY" not in opened("body").inner_text()
    opened.page.click("#token-cancel")
    opened.waits_for("#state-word", "Locked")
    opened.page.click("#access")
    opened.log_in()
    opened.waits_for("#state-word", "trading")


def test_the_session_can_be_ended(visit):
    opened = visit(examples.trading(), ready="#access:has-text('Lock')", prepare=unlocked)
    opened.page.click("#access")
    opened.waits_for("#access", "Unlock")
    assert not opened.server.has_session


def test_the_kite_login_is_offered_when_it_is_needed(visit):
    assert not visit(examples.trading(), ready="#pause:enabled")("#login").is_visible()
    opened = visit(examples.no_go(), ready="#login:visible")
    opened.page.click("#login")
    opened.log_in()
    opened.page.wait_for_url("**/kite/login")


def test_everything_can_be_done_by_keyboard(visit):
    opened = visit(examples.trading(), ready="#flatten:enabled", prepare=unlocked)
    opened("#flatten").focus()
    opened.page.keyboard.press("Enter")
    opened.waits_for("#confirm[open]")
    opened.page.keyboard.press("Tab")
    opened.page.keyboard.press("Enter")
    opened.waits_for(".toast.done")
    assert opened.server.commands == [("flatten", {})]
