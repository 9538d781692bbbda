// Asks for the state once a second, and has the cards whose facts have changed drawn anew.
import { showChallengers, showDays, showEvents, showHealth, showModel, showMoney, showOrders, showPlan, showPosition, showPrediction, showPreflight, showRisk, showTrades } from "./cards.js";
import { CandleChart, EquityChart } from "./chart.js";
import { askToken, readSession, showControls, startControls } from "./controls.js";
import { showVerdict, verdictOf } from "./verdict.js";
import { element, find, put, timeAs } from "./words.js";

const POLL_MILLISECONDS = 1_000;
const LONGEST_PAUSE_MILLISECONDS = 15_000;
const ANSWER_MILLISECONDS = 5_000;
const LOST_MILLISECONDS = 6_000; // without an answer, though no request has failed: the machine may have slept

let status = null, etag = "", failures = 0, seenAt = 0, lostWords = "", timer = 0, isAsking = false;
let needsToken = false, hasDeclined = false;

// -- drawing ---------------------------------------------------------------------------------------

const equity = new EquityChart(find("equity"));
const candles = new CandleChart(find("candles"), ({ time, prices, notes }) =>
  find("readout").replaceChildren(element("b", "", time), `  ${prices}`, ...(notes ? [element("b", "", `  ${notes}`)] : [])));

const titled = (id, name, day, now) => put(id, day && now && day !== timeAs("day", now.market_time) ? `${name} of ${day}` : name);

const showCandles = ({ now, candles: bars, decisions, fills }) => {
  find("candles-empty").hidden = bars.length > 0;
  put("candles-empty", now?.phase === "session" ? "The first bar of today is being built." : "No bar of today yet.");
  find("prices").classList.toggle("bare", !bars.length);
  titled("prices-title", "Candles", bars.length ? timeAs("day", bars.at(-1)[0]) : "", now);
  const account = now?.account, open = now?.trades?.find((trade) => !trade.exit_time), holds = Boolean(account?.position);
  const lines = holds
    ? [{ name: "target", price: account.target_price, colour: "gain", dash: [6, 4] }, { name: "stop", price: account.stop_price, colour: "loss", dash: [6, 4] }]
    : [];
  for (const line of lines) Object.assign(line, { price: line.price ?? NaN, since: open?.entry_time });
  const lastBar = bars.at(-1);
  if (account?.last_price && now.phase === "session") lines.push({ name: "", price: account.last_price, colour: "ink", dash: [1, 3] });
  candles.show({ candles: bars, decisions, fills, trades: now?.trades ?? [], lines });
  find("candles").setAttribute("aria-label", lastBar ? `${bars.length} candles of ${timeAs("day", lastBar[0])}, the last one of ${timeAs("minute", lastBar[0])} closes at ${lastBar[4]}` : "No candles yet");
  if (!bars.length) find("readout").replaceChildren();
  find("candles").dataset.ready = "true";
};

const showEquity = ({ now, equity: marks }) => {
  const account = now?.account, live = account && now.phase === "session" ? [[now.market_time, account.realised_today + account.unrealised]] : [];
  const all = [...marks, ...live];
  find("equity-empty").hidden = all.length > 1;
  put("equity-empty", "The curve begins with the first bar.");
  equity.show(all.length > 1 ? all : []);
  find("equity").setAttribute("aria-label", all.length > 1 ? `Profit of the day at ${all.length} times, last ${Math.round(all.at(-1)[1])} rupees` : "No profit to draw yet");
};

const loud = find("loud");
// What each card looks at: it is drawn anew only when that has changed, so that text can be selected and scrolled
const CARDS = [
  [showMoney, (s) => [s.now?.account, s.days[0], s.equity]],
  [showEquity, (s) => [s.equity, s.now?.account, s.now?.phase]],
  [showPosition, (s) => [s.now?.account, s.now?.symbol, s.now?.trades, s.decisions]],
  [showPrediction, (s) => [s.prediction, s.now?.model]],
  [showCandles, (s) => [s.candles, s.decisions, s.fills, s.now?.account, s.now?.trades, s.now?.phase]],
  [showRisk, (s) => s.now?.rules],
  [showTrades, (s) => [s.now?.trades, s.decisions]],
  [showOrders, (s) => s.now?.orders],
  [showHealth, (s) => [s.now?.feed, s.now?.broker, s.now?.pulse_age_seconds, s.now?.phase, s.now?.folder, s.stale_seconds, s.latency, s.alerts]],
  [showPlan, (s) => s.now?.plan],
  [showPreflight, (s) => [s.now?.preflight, s.now?.phase]],
  [showModel, (s) => [s.now?.model, s.now?.drift, s.now?.hit_rate]],
  [showChallengers, (s) => [s.challengers, s.now?.account, s.now?.trades, s.now?.model]],
  [showDays, (s) => s.days],
  [(s) => showEvents(s, loud.getAttribute("aria-pressed") === "true"), (s) => [s.events, loud.getAttribute("aria-pressed")]],
];
const drawn = new Map();

const showCards = () => {
  for (const [show, look] of CARDS) {
    const looks = JSON.stringify(look(status)) ?? "";
    if (drawn.get(show) === looks) continue;
    show(status);
    drawn.set(show, looks);
  }
};

const showState = () => {
  const quiet = Date.now() - seenAt;
  const isLost = failures > 1 || lostWords !== "" || (seenAt > 0 && !document.hidden && quiet > LOST_MILLISECONDS);
  showVerdict(status, verdictOf(status, { isLost, seconds: seenAt ? quiet / 1000 : NaN, words: lostWords, seenAt, needsToken }));
  showControls(status, { isLost, needsToken });
};

// -- asking ----------------------------------------------------------------------------------------

const ask = async () => {
  const headers = etag ? { "If-None-Match": etag } : {};
  const answer = await fetch("api/status", { headers, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MILLISECONDS) });
  if (answer.status === 401) {
    needsToken = true; failures = 0;
    if (!hasDeclined && !find("token").open) askToken("This page is shown to those who have its token. It is STATUS_TOKEN of your secrets.").then((isIn) => { hasDeclined = !isIn; if (isIn) poll(); });
    return;
  }
  if (answer.status !== 304) {
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error || `the page's server answered ${answer.status}`);
    status = told; etag = answer.headers.get("ETag") ?? "";
  }
  const wasLost = failures > 0 || lostWords !== "" || needsToken || !seenAt;
  failures = 0; lostWords = ""; needsToken = false; seenAt = Date.now();
  if (wasLost) await readSession();
};

const poll = async () => {
  if (isAsking) return;
  isAsking = true; clearTimeout(timer);
  try { await ask(); } catch (error) {
    failures += 1;
    if (failures > 1) lostWords = error instanceof TypeError || error.name === "TimeoutError" ? "No answer from the page's server." : `${error.message}.`;
  }
  isAsking = false;
  if (status) showCards();
  showState();
  timer = setTimeout(poll, Math.min(LONGEST_PAUSE_MILLISECONDS, POLL_MILLISECONDS * 2 ** Math.max(0, failures - 2)));
};

// -- the page itself -------------------------------------------------------------------------------

const redraw = () => { equity.draw(); candles.draw(); };
const dark = matchMedia("(prefers-color-scheme: dark)");
const remembered = (theme) => { try { if (theme) localStorage.setItem("theme", theme); return localStorage.getItem("theme"); } catch { return null; } };
const theme = remembered();
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
find("theme").addEventListener("click", () => {
  const root = document.documentElement, isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  root.dataset.theme = isDark ? "light" : "dark";
  remembered(root.dataset.theme);
  redraw();
});
dark.addEventListener("change", redraw);

const span = (minutes) => {
  for (const button of document.querySelectorAll("[data-minutes]")) button.setAttribute("aria-pressed", String(Number(button.dataset.minutes) === minutes));
  candles.zoom(minutes);
};
for (const button of document.querySelectorAll("[data-minutes]")) button.addEventListener("click", () => span(Number(button.dataset.minutes)));
span(matchMedia("(max-width: 640px)").matches ? 150 : 0);

loud.addEventListener("click", () => {
  loud.setAttribute("aria-pressed", String(loud.getAttribute("aria-pressed") !== "true"));
  if (status) showCards();
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) { showState(); poll(); } });
setInterval(showState, POLL_MILLISECONDS);
startControls();
poll();
