// What each card says. Every text is set as text: nothing that comes from a log can become a part of the page.
import { NOTHING, capital, counted, duration, element, find, grouped, instant, percent, placed, plain, points, put, result, rupees, short, signed, timeAs, toneOf } from "./words.js";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const net = (account) => account.realised_today + account.unrealised;

const fact = (name, text, className = "") => [element("dt", "", name), element("dd", className, text)];

export const showMoney = ({ now, days, equity }) => {
  const account = now?.account, big = find("net");
  if (!account) {
    const last = days[0];
    big.className = "big soft"; big.textContent = NOTHING;
    find("net-words").replaceChildren("Not known yet. ", ...(last ? [`Last day, ${last.day}: `, element("span", "figure", result(last.net_pnl)), ` in ${counted(last.trades, "trade")}`] : []));
    find("money").replaceChildren();
    return;
  }
  const today = net(account), marks = equity.map(([, value]) => value).concat(today);
  big.className = `big ${toneOf(today)}`; big.textContent = result(today);
  const share = account.starting_cash ? today / account.starting_cash : NaN;
  put("net-words", `${today > 0 ? "+" : ""}${percent(share, 2)} of ${rupees(account.starting_cash)}, charges paid`);
  find("money").replaceChildren(
    ...fact("Realised", result(account.realised_today), toneOf(account.realised_today)),
    ...fact("Open", result(account.unrealised), toneOf(account.unrealised)),
    ...fact("Worst · best", `${result(Math.min(0, ...marks))} · ${result(Math.max(0, ...marks))}`),
    ...fact("Cash", rupees(account.cash)),
  );
};

const sizeWords = (units, lot) => {
  const lots = isNumber(lot) && lot > 0 ? Math.abs(units) / lot : NaN;
  return `${grouped(Math.abs(units))} units${Number.isNaN(lots) ? "" : `, ${counted(lots, "lot")}`}`;
};

const way = (account) => {
  const { stop_price: stop, target_price: target, last_price: last, average_price: average } = account;
  if (![stop, target, last, average].every(isNumber) || stop === target) return null;
  const at = (price) => (price - stop) / (target - stop);
  const here = Math.min(1, Math.max(0, at(last))), begun = Math.min(1, Math.max(0, at(average)));
  const bar = element("div", "way",
    placed(element("i", here < begun ? "run loss" : "run"), { from: Math.min(here, begun), length: Math.abs(here - begun) }),
    placed(element("i", "end"), { at: 0 }), placed(element("i", "end target"), { at: 1 }),
    placed(element("i", "entry"), { at: begun }), placed(element("i", "last"), { at: here }),
    begun > 0.1 && begun < 0.9 ? placed(element("span", "", "entry"), { at: begun }) : null);
  bar.setAttribute("role", "meter");
  bar.setAttribute("aria-label", "Way from the stop to the target");
  for (const [name, value] of [["min", 0], ["max", 100], ["now", Math.round(100 * here)]]) bar.setAttribute(`aria-value${name}`, String(value));
  bar.setAttribute("aria-valuetext", `${points(Math.abs(last - stop))} points from the stop, ${points(Math.abs(target - last))} from the target`);
  return bar;
};

const wayEnd = (name, price, account) => isNumber(price)
  ? element("p", "", name, element("b", "", points(price)), `${isNumber(account.last_price) ? `${points(Math.abs(price - account.last_price))} away, ` : ""}${isNumber(account.average_price) ? result(account.position * (price - account.average_price)) : ""}`)
  : element("p", "", name, element("b", "", NOTHING));

// The entry was decided on the last bar of its side that began before it.
const reasonsOf = (trade, decisions) =>
  decisions.findLast((one) => trade && one.side === trade.side && !one.denied && instant(one.start) < instant(trade.entry_time))?.why ?? "";

// Of several instruments the first that holds something is shown whole, and the others in a line each.
const heldBeside = (account, shown) => (account.positions ?? []).filter((one) => one.position && one.symbol !== shown).map((one) =>
  element("p", isNumber(one.stop_price) ? "hint" : "alarm", element("b", "", `${one.position > 0 ? "Long" : "Short"} ${grouped(Math.abs(one.position))} ${one.symbol}`),
    ` at ${points(one.average_price)}, last ${points(one.last_price)}, stop ${points(one.stop_price)}, target ${points(one.target_price)}, ${result(one.unrealised)}`));

export const showPosition = ({ now, decisions }) => {
  const account = now?.account, body = find("position-body");
  if (!account) {
    body.replaceChildren(element("p", "big soft", NOTHING), element("p", "hint", "Not known: the trading process tells it with the session."));
    return;
  }
  if (!account.position) {
    const last = now?.trades?.filter((trade) => trade.exit_time).at(-1);
    body.replaceChildren(
      element("p", "big soft", "Flat"),
      account.open_words ? element("p", "alarm", `Still open: ${account.open_words}`) : element("p", "hint", "Nothing is open."),
      element("dl", "facts", ...fact("Entries today", grouped(account.entries_today)),
        ...fact("Last price", points(account.last_price)),
        ...(last ? fact("Last trade", `${last.side > 0 ? "long" : "short"} ${grouped(last.units)}, ${plain(last.exit_reason)} ${timeAs("minute", last.exit_time)}, ${result(last.net_pnl)}`, toneOf(last.net_pnl)) : [])));
    return;
  }
  const long = account.position > 0, why = reasonsOf(now.trades.find((trade) => !trade.exit_time), decisions);
  const { stop_price: stop, target_price: target } = account, own = account.positions?.find((one) => one.position);
  const symbol = own?.symbol ?? now.symbol, open = own?.unrealised ?? account.unrealised;
  body.replaceChildren(...[
    element("p", "big", element("span", `side ${long ? "long" : "short"}`, long ? "LONG" : "SHORT"), element("span", toneOf(open), result(open)), element("small", "", " open")),
    element("p", "hint", `${sizeWords(account.position, account.lot)} of ${symbol}`),
    why ? element("p", "hint why", element("b", "", "Why "), why) : null,
    way(account),
    isNumber(stop) || isNumber(target) ? element("div", "ends", wayEnd("Stop", stop, account), wayEnd("Target", target, account)) : null,
    isNumber(stop) ? null : element("p", "alarm", "No stop is known for this position."),
    element("dl", "facts", ...fact("Average", points(account.average_price)), ...fact("Last", points(account.last_price))),
    ...heldBeside(account, symbol),
  ].filter(Boolean));
};

const bar = (className, name, share, text, threshold) => {
  const track = element("span", "track", placed(element("i", ""), { share }), isNumber(threshold) ? placed(element("u", ""), { share: threshold }) : null);
  if (isNumber(threshold)) track.title = `decided from ${percent(threshold)} on`;
  return element("div", `bar ${className}`, element("span", "", name), track, element("span", "value", text));
};

export const showPrediction = ({ prediction, now }) => {
  const body = find("prediction-body");
  if (!prediction) {
    body.replaceChildren(element("p", "hint", "None yet: the first comes with the first whole bar."));
    return;
  }
  const { side, units, denied, probability } = prediction, chances = [prediction.p_buy, prediction.p_hold, prediction.p_sell];
  const answer = !side ? "Hold" : `${side > 0 ? "Buy" : "Sell"}${denied ? ", denied" : units ? ` ${grouped(Math.abs(units))}` : ", not acted on"}`;
  const tone = !side ? "soft" : denied ? "caution" : side > 0 ? "gain" : "loss";
  const lines = [element("p", `answer ${tone}`, answer, element("small", "", `bar of ${timeAs("minute", prediction.start)}${denied ? `: ${denied}` : ""}`))];
  if (chances.every(isNumber)) {
    const thresholds = [now?.model?.buy_probability, null, now?.model?.sell_probability];
    ["buy", "hold", "sell"].forEach((name, i) => lines.push(bar(name, capital(name), chances[i], percent(chances[i], 1), thresholds[i])));
    if (thresholds.some(isNumber)) lines.push(element("p", "hint quiet", "The mark in a bar: an entry is decided from there on."));
  } else lines.push(element("p", "hint", isNumber(probability) && side ? `Probability ${percent(probability, 1)}.` : "This strategy gives no probabilities."));
  if (side && prediction.why) lines.push(element("p", "hint why", element("b", "", "Why "), prediction.why));
  body.replaceChildren(...lines);
};

export const showRisk = ({ now }) => {
  const rules = now?.rules ?? [], measured = [], quiet = [];
  for (const rule of rules) {
    const { used, limit, unit, blocks } = rule, known = isNumber(used) && isNumber(limit);
    if (!known && !blocks) { quiet.push(rule); continue; }
    const share = known ? (limit > 0 ? used / limit : used > 0 ? 1 : 0) : null;
    const tone = known && share >= 1 || rule.name === "kill_switch" && blocks ? "bad" : blocks || known && share >= 0.75 ? "warn" : "";
    const money = unit === "rupees";
    const value = known ? (money ? `${rupees(used)} of ${rupees(limit)}` : `${short(used)} of ${short(limit)} ${unit}`) : "";
    const line = element("div", `rule ${tone}`, element("p", "", element("span", "name", [capital(plain(rule.name)), rule.instrument].filter(Boolean).join(", ")), element("span", "value", value)));
    line.title = rule.description;
    if (known) {
      const track = placed(element("div", "track", element("i", "")), { share });
      track.setAttribute("role", "meter"); track.setAttribute("aria-label", plain(rule.name));
      track.setAttribute("aria-valuemin", "0"); track.setAttribute("aria-valuemax", String(limit)); track.setAttribute("aria-valuenow", String(used));
      track.setAttribute("aria-valuetext", value);
      line.append(track);
    }
    if (blocks) line.append(element("p", "blocks", `No entry: ${blocks}`));
    measured.push(line);
  }
  const rest = element("ul", "quiet", ...quiet.map((rule) => {
    const [head, ...tail] = rule.description.split(": ");
    return element("li", "", element("b", "", tail.length ? head : plain(rule.name)), ` ${tail.length ? tail.join(": ") : head}`);
  }));
  find("risk-body").replaceChildren(...measured, ...(quiet.length ? [rest] : []), ...(rules.length ? [] : [element("p", "hint", "The rules are told with the session.")]));
};

const table = (id, columns, rows, empty, foot = null) => {
  const head = element("thead", "", element("tr", "", ...columns.map(([name, className]) => Object.assign(element("th", className, name), { scope: "col" }))));
  const body = element("tbody", "", ...(rows.length ? rows : [element("tr", "", Object.assign(element("td", "soft", empty), { colSpan: columns.length }))]));
  find(id).replaceChildren(...(rows.length ? [head, body] : [body]), ...(foot && rows.length ? [element("tfoot", "", foot)] : []));
};

const TRADE_COLUMNS = [["In", ""], ["Out", ""], ["Side", ""], ["Units", "n away"], ["Entry", "n"], ["Exit", "n"], ["Why", "away"], ["Prob.", "n away"], ["Charges", "n away"], ["Net", "n"]];

export const showTrades = ({ now, decisions }) => {
  const trades = [...(now?.trades ?? [])].reverse(), over = trades.filter((trade) => isNumber(trade.net_pnl));
  const rows = trades.map((trade) => {
    const cells = [timeAs("minute", trade.entry_time), trade.exit_time ? timeAs("minute", trade.exit_time) : "open", trade.side > 0 ? "long" : "short", grouped(trade.units), points(trade.entry_price), points(trade.exit_price), plain(trade.exit_reason), isNumber(trade.probability) ? percent(trade.probability) : NOTHING, rupees(trade.charges), isNumber(trade.net_pnl) ? result(trade.net_pnl) : NOTHING];
    const row = element("tr", trade.exit_time ? "" : "open", ...cells.map((text, i) => element("td", TRADE_COLUMNS[i][1], text)));
    row.cells[2].classList.add(trade.side > 0 ? "gain" : "loss");
    row.title = reasonsOf(trade, decisions);
    if (toneOf(trade.net_pnl)) row.lastChild.classList.add(toneOf(trade.net_pnl));
    return row;
  });
  table("trades-table", TRADE_COLUMNS, rows, "No trade yet.");
  const won = over.filter((trade) => trade.net_pnl > 0).length;
  put("trades-words", over.length ? `${counted(over.length, "trade")} closed, ${grouped(won)} won, charges ${rupees(trades.reduce((sum, trade) => sum + trade.charges, 0))}` : "");
};

const ORDER_COLUMNS = [["Time", ""], ["Order", "away"], ["Role", ""], ["Kind", "away"], ["Size", "n"], ["Price", "n"], ["State", ""], ["", "wrap"]];
const BAD_STATES = ["rejected", "refused", "unresolved", "margin"];
const QUIET_STATES = ["denied", "expired", "partial"];

export const showOrders = ({ now }) => {
  const orders = [...(now?.orders ?? [])].reverse();
  const rows = orders.map((order) => {
    const isFilled = isNumber(order.filled) && order.filled !== 0;
    const tone = BAD_STATES.includes(order.state) ? "bad" : QUIET_STATES.includes(order.state) ? "warn" : "";
    const words = [plain(order.rule), order.reason].filter(Boolean).join(": ");
    const state = order.state === "completed" ? "filled" : plain(order.state) + (isFilled && order.filled !== order.size ? ` ${signed(order.filled)}` : "");
    const cells = [timeAs("second", order.time), order.order_id ? `#${order.order_id}` : NOTHING, plain(order.role), order.kind, signed(order.size), points(isFilled ? order.average_price : order.price), state, words];
    const row = element("tr", ["submitted", "accepted", "partial"].includes(order.state) ? "open" : "", ...cells.map((text, i) => element("td", ORDER_COLUMNS[i][1], text)));
    row.cells[6].className = `state ${tone}`;
    return row;
  });
  table("orders-table", ORDER_COLUMNS, rows, "No order yet.");
  const working = orders.filter((order) => ["submitted", "accepted", "partial"].includes(order.state)).length;
  put("orders-words", orders.length ? `${counted(orders.length, "order")}, ${grouped(working)} working` : "");
};

export const showHealth = ({ now, stale_seconds: stale, latency, alerts }) => {
  const lines = [], say = (name, text, tone = "") => lines.push(...fact(name, text, tone));
  const { feed, broker } = now ?? {}, isOn = now?.phase === "session";
  const over = now?.phase === "over";
  say("Last word of the process", isNumber(stale) ? `${duration(stale)} ago` : NOTHING, !isNumber(stale) || over ? "calm" : stale > 15 ? "bad" : stale > 4 ? "warn" : "");
  if (now) say("Main thread's last turn", `${duration(now.pulse_age_seconds)} ago`, over ? "calm" : isOn && now.pulse_age_seconds > 60 ? "bad" : isOn && now.pulse_age_seconds > 10 ? "warn" : "");
  if (feed) {
    const age = feed.tick_age_seconds;
    say("Ticks", feed.state === "up" ? (isNumber(age) ? `${duration(age)} ago` : "none yet") : `${feed.state}${feed.reason ? `: ${feed.reason}` : ""}`,
      !isOn ? "calm" : feed.state === "refused" ? "bad" : feed.state !== "up" ? (now.account?.position ? "bad" : "warn") : isNumber(age) && age > 30 ? "warn" : "");
    say("Reconnects today", grouped(feed.reconnects), feed.reconnects ? "warn" : "calm");
  }
  say("Tick to order, p50 · p99", latency.decisions ? `${short(latency.p50_ms)} · ${short(latency.p99_ms)} ms` : "no order yet", latency.decisions ? (latency.p99_ms > 1000 ? "warn" : "") : "calm");
  if (broker) {
    say("Broker's login", { alive: "alive", dead: "dead: log in again" }[broker.session] ?? "unknown", broker.session === "alive" ? "" : broker.session === "dead" ? "bad" : "calm");
    say("In the way of an entry", broker.obstacle || "nothing", broker.obstacle ? "warn" : "");
    say("Orders of unknown outcome", grouped(broker.unresolved), broker.unresolved ? "bad" : "");
  }
  for (const { name, queued, sent, failed, dropped, last_error: error } of alerts.channels) {
    const lost = (failed || 0) + (dropped || 0);
    const words = [`${grouped(sent || 0)} sent`, queued ? `${grouped(queued)} waiting` : "", failed ? `${grouped(failed)} failed` : "", dropped ? `${grouped(dropped)} dropped` : "", lost && error ? error : ""];
    say(`Alerts by ${name}`, words.filter(Boolean).join(", "), lost ? "warn" : "");
  }
  if (!alerts.channels.length) say("Alerts", "no channel is set up", "calm");
  find("health-body").replaceChildren(...lines);
  if (now) put("process", `process ${now.process_id}, version ${now.version}, day's folder ${now.folder ?? NOTHING}`);
};

const STEP_MARKS = { done: "✓", now: "●", next: "○", missed: "!", skipped: NOTHING, failed: "✕" };
const STEP_WORDS = { done: "", now: "now", next: "", missed: "missed", skipped: "skipped", failed: "failed" };

export const showPlan = ({ now }) => {
  const plan = now?.plan ?? [];
  const first = plan.find((step) => step.outcome === "next");
  const steps = plan.map((step) => {
    const known = Object.hasOwn(STEP_MARKS, step.outcome) ? step.outcome : "next";
    const mark = element("span", "mark", STEP_MARKS[known]);
    mark.setAttribute("aria-hidden", "true");
    return element("li", known === "next" && step !== first ? "later" : known, mark, element("time", "", timeAs("minute", step.at)), element("b", "", capital(plain(step.name))), element("small", "", step === first ? "next" : STEP_WORDS[known]));
  });
  find("plan-body").replaceChildren(...(steps.length ? steps : [element("li", "soft", "No plan is known.")]));
};

const CHECK_WORDS = { go: "go", warning: "warning", no_go: "no-go" };

export const showPreflight = ({ now }) => {
  const checks = now?.preflight ?? [], card = find("preflight"), details = find("preflight-details");
  const isNew = card.hidden || details.dataset.phase !== now?.phase;
  card.hidden = !checks.length;
  if (!checks.length) return;
  details.dataset.phase = now.phase;
  const failing = checks.filter((check) => check.outcome === "no_go").length, doubtful = checks.filter((check) => check.outcome === "warning").length;
  const verdict = find("preflight-words");
  verdict.className = failing ? "loss" : doubtful ? "caution" : "gain";
  verdict.textContent = failing ? `NO-GO: ${grouped(failing)} of ${grouped(checks.length)}` : doubtful ? `Go, ${counted(doubtful, "warning")}` : `Go: all ${grouped(checks.length)}`;
  if (isNew) details.open = now.phase === "preflight" || failing > 0;
  find("preflight-body").replaceChildren(...checks.map((check) => {
    const known = Object.hasOwn(CHECK_WORDS, check.outcome) ? check.outcome : "warning";
    const mark = element("span", "mark", known === "go" ? "✓" : known === "warning" ? "!" : "✕");
    return element("li", known, mark, element("p", "", element("strong", "", `${capital(plain(check.name))}${known === "go" ? "" : `, ${CHECK_WORDS[known]}`}`), ` ${check.words}`, check.remedy ? element("em", "", check.remedy) : null));
  }));
};

export const showModel = ({ now }) => {
  const { model, drift, hit_rate } = now ?? {}, parts = [];
  parts.push(model
    ? element("dl", "facts", ...fact("Version", model.version), ...fact("Trained until", `${String(model.trained_until).slice(0, 10)}${isNumber(model.age_days) ? `, ${short(Math.round(model.age_days * 10) / 10)} days ago` : ""}`))
    : element("p", "hint", "No model is in use."));
  if (drift) {
    const tone = { ok: "gain", warning: "caution", alarm: "loss" }[drift.level] ?? "soft";
    parts.push(element("p", "quiet", element("b", tone, `Drift: ${drift.level}`), ` ${drift.words} (${drift.day})`));
    const worst = Object.entries(drift.psi).sort((a, b) => b[1] - a[1]).slice(0, 5), most = Math.max(0.25, ...worst.map(([, psi]) => psi));
    parts.push(element("div", "psi", ...worst.map(([name, psi]) => bar(psi >= 0.25 ? "sell" : psi >= 0.1 ? "" : "hold", name, psi / most, grouped(psi, 2)))));
  }
  if (hit_rate) {
    const tone = { ok: "gain", low: "loss", high: "caution" }[hit_rate.level] ?? "soft";
    parts.push(element("p", "quiet", element("b", tone, `Hit rate: ${hit_rate.level}`), ` ${hit_rate.words} (${hit_rate.day})`));
  }
  find("model-body").replaceChildren(...parts);
};

const DAY_COLUMNS = [["Day", ""], ["Mode", ""], ["Trades", "n"], ["Net", "n"], ["", "wrap"]];

const CHALLENGER_COLUMNS = [["Who", ""], ["Trades", "n"], ["Net today", "n"], ["Open", "n away"], ["All days", "n"]];

export const showChallengers = ({ challengers, now }) => {
  const all = challengers ?? [], account = now?.account;
  find("challengers").hidden = !all.length;
  if (!all.length) return;
  const cell = (className, ...inside) => element("td", className, ...inside);
  const row = (name, words, trades, today, open, days) => element("tr", "",
    cell("", element("b", "", name), element("small", "", ` ${words}`)), cell("n", trades),
    cell(`n ${isNumber(today) ? toneOf(today) : ""}`.trim(), isNumber(today) ? result(today) : NOTHING),
    cell("n away", open), cell("n", days));
  const held = (units) => units ? `${units > 0 ? "long" : "short"} ${grouped(Math.abs(units))}` : "flat";
  const ran = Math.max(0, ...all.map((one) => one.days));
  const longest = all.find((one) => one.days === ran);
  const ended = (now?.trades ?? []).filter((trade) => trade.exit_time).length;
  table("challengers-table", CHALLENGER_COLUMNS, [
    row("Champion", [now?.strategy, now?.model?.version].filter(Boolean).join(" "), account ? grouped(ended) : NOTHING, account?.realised_today, account ? held(account.position) : NOTHING, ran ? result(longest.champion_net_pnl) : NOTHING),
    ...all.map((one) => one.error
      ? element("tr", "", cell("", element("b", "", one.name)), Object.assign(cell("caution wraps", one.error), { colSpan: CHALLENGER_COLUMNS.length - 1 }))
      : row(one.name, [one.strategy, one.model].filter(Boolean).join(" "), grouped(one.trades), one.net_pnl, held(one.open_units), one.days ? result(one.days_net_pnl) : NOTHING)),
  ]);
  put("challengers-words", `Same bars, simulated orders: nothing of a challenger's reaches the exchange. ${all[0].as_of ? `As of the bar that began at ${timeAs("minute", all[0].as_of)}. ` : ""}${ran ? `All days, for the champion: the ${counted(ran, "day")} on which ${longest.name} ran.` : "The list of days begins after the market."}`);
};

export const showDays = ({ days }) => {
  const rows = days.map((day) => element("tr", "", ...[day.day, day.mode, grouped(day.trades), result(day.net_pnl), plain(day.outcome)].map((text, i) => element("td", `${DAY_COLUMNS[i][1]} ${i === 3 ? toneOf(day.net_pnl) : ""}`.trim(), text))));
  table("days-table", DAY_COLUMNS, rows, "No day has ended yet.");
};

export const showEvents = ({ events }, onlyLoud) => {
  const shown = events.filter((event) => !onlyLoud || event.level !== "info").reverse();
  const lines = shown.map((event) => {
    const level = ["warning", "error"].includes(event.level) ? event.level : "info";
    return element("li", level, element("time", "", timeAs("second", event.time)), element("span", "", level === "info" ? null : element("b", "", level === "error" ? "ERROR" : "WARNING"), event.words));
  });
  find("events-list").replaceChildren(...(lines.length ? lines : [element("li", "soft", onlyLoud ? "Neither warning nor error." : "Nothing yet.")]));
};
