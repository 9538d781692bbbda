// What a trader wants to know first: one word, its colour, and why.
import { capital, duration, element, find, instant, plain, put, result, signed, timeAs } from "./words.js";

const SILENT_SECONDS = 15;
const TONES = { starting: "calm", trading: "good", paused: "warn", halted: "bad", closed: "calm" };
const USUAL = {
  starting: "Getting ready.",
  trading: "Entries are allowed.",
  paused: "No new entries. An open position keeps its stop and target.",
  halted: "No entries until a person does something.",
  closed: "No session now.",
};
const MODES = {
  demo: ["DEMO", "a replayed day, no real order"],
  paper: ["PAPER", "real prices, simulated orders"],
  live: ["LIVE", "real orders, real money"],
};
const ICON_COLOURS = { good: "#0a7467", warn: "#c98500", bad: "#d3222b", calm: "#8a8378" };

export const heldWords = (now) => {
  const account = now?.account;
  // Without the orders that protect it
  const held = account?.open_words?.split("; ").map((one) => one.split(":")[0]).join(", ");
  return held || (account?.position ? `${signed(account.position)} ${now.symbol || now.instrument}` : "");
};

// For when nothing new is heard: what was true last, and where the truth is now
const lastKnown = (now) => {
  if (!now?.account) return "Look for open positions in your broker's own app.";
  return heldWords(now) ? `It held ${heldWords(now)}: look at it in your broker's own app.` : "It held nothing then.";
};

export const isSilent = (status) => Boolean(status?.now) && status.now.phase !== "over" && status.stale_seconds > SILENT_SECONDS;

// link: {isLost, needsToken, seconds, words, seenAt}; the connection of this browser to the page's server
export const verdictOf = (status, link) => {
  if (link.needsToken) return { word: "Locked", tone: "warn", why: "The token of this page is needed to look at it.", isOld: true, reasons: [] };
  if (link.isLost) {
    const since = status ? ` What is shown is of ${timeAs("second", status.now?.market_time ?? link.seenAt)}. ${lastKnown(status.now)}` : "";
    return { word: "Connection lost", tone: "bad", why: `${link.words || `No answer for ${duration(link.seconds)}.`}${since}`, isOld: true, reasons: [] };
  }
  if (!status) return { word: "…", tone: "calm", why: "Asking the trading process …", isOld: false, reasons: [] };
  const { now, health } = status, reasons = [...health.reasons];
  if (!now) return { word: "No word yet", tone: health.level === "red" ? "bad" : "calm", why: reasons.shift() ?? "The trading process has said nothing yet.", isOld: false, reasons };
  if (isSilent(status)) {
    return {
      word: "Silent", tone: "bad", isOld: true,
      why: `The trading process is silent for ${duration(status.stale_seconds)}. What is shown is of ${timeAs("second", now.market_time)}. ${lastKnown(now)}`,
      reasons: reasons.filter((reason) => !reason.includes("is silent for")),
    };
  }
  const known = Object.hasOwn(TONES, now.state) ? now.state : "halted";
  const over = now.phase === "over";
  const usual = known !== "trading" ? USUAL[known] : health.level === "red" ? "Entries are not paused, but look at this now:" : now.broker?.obstacle ? "Entries are allowed, but none can be sent now." : USUAL.trading;
  const why = over ? `The trading process has ended${now.why ? `: ${now.why}` : "."}` : now.why || usual;
  // What the sentence already says is not said twice
  const said = [now.why, now.paused, now.kill_switch].filter((words) => words && why.includes(words));
  const left = reasons.filter((reason) => !said.some((words) => reason.includes(words)) && !(over && reason.includes("has ended")));
  const own = over ? "calm" : TONES[known];
  const tone = health.level === "red" || own === "bad" ? "bad" : health.level === "attention" && left.length ? "warn" : own;
  return { word: over ? "Closed" : known, tone, badge: health.level === "red" ? "bad" : own, why, isOld: false, reasons: left };
};

const showNext = (now) => {
  const node = find("next"), step = now?.plan?.find((one) => one.outcome === "next");
  if (!step || now.phase === "over") { node.replaceChildren(); return; }
  const seconds = (instant(step.at) - instant(now.market_time)) / 1000;
  const isToday = timeAs("day", step.at) === timeAs("day", now.market_time);
  node.replaceChildren("next ", element("b", "", plain(step.name)), ` ${isToday ? "" : `${timeAs("date", step.at)} `}${timeAs("minute", step.at)}`, seconds > 0 ? `, in ${duration(Math.max(seconds, 10))}` : ", due");
};

export const modeWords = (mode) => (Object.hasOwn(MODES, mode) ? MODES[mode] : [String(mode).toUpperCase(), ""]);

export const showMode = (node, mode, isBrief = false) => {
  const [name, words] = modeWords(mode);
  node.hidden = false;
  node.className = `mode ${Object.hasOwn(MODES, mode) ? mode : ""}`;
  node.replaceChildren(element("b", "", name), isBrief ? "" : ` ${words}`);
};

let lastHeard = "", lastIcon = "";

export const showVerdict = (status, verdict) => {
  const { word, tone, why, reasons } = verdict, now = status?.now, root = document.body;
  root.className = `${tone} ${verdict.isOld ? "old" : ""}`.trim();
  put("state-word", word);
  find("state-word").parentElement.className = `badge ${verdict.badge ?? tone}`;
  put("why", capital(why));
  const list = find("reasons");
  if (list.dataset.reasons !== JSON.stringify(reasons)) {
    list.dataset.reasons = JSON.stringify(reasons);
    list.hidden = !reasons.length;
    list.replaceChildren(...reasons.map((reason) => element("li", "", capital(reason))));
  }
  const account = now?.account, today = account ? result(account.realised_today + account.unrealised) : "";
  document.title = [`${word.toUpperCase()}${verdict.isOld ? "" : ` ${today}`}`.trim(), now?.symbol || now?.instrument, "Muhurat"].filter(Boolean).join(" · ");
  if (lastIcon !== tone) {
    lastIcon = tone;
    find("icon").href = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${ICON_COLOURS[tone]}"/></svg>`)}`;
  }
  // Told aloud when it changes, not each second with the seconds in it
  const heard = [word, ...reasons.map((reason) => reason.replace(/\d+/g, ""))].join();
  if (heard !== lastHeard) {
    lastHeard = heard;
    put(tone === "bad" ? "alarm" : "heard", `${word}. ${why} ${reasons.join(". ")}`);
  }
  find("mode").hidden = find("synthetic").hidden = !now;
  showNext(now);
  if (!now) {
    put("clock", "--:--:--"); put("date", ""); put("what", "");
    return;
  }
  put("clock", timeAs("second", now.market_time));
  put("date", timeAs("date", now.market_time));
  put("what", `${now.symbol || now.instrument} · ${now.strategy}`);
  showMode(find("mode"), now.mode);
  find("synthetic").hidden = !now.is_synthetic;
};
