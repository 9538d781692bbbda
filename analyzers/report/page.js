"use strict";
// Light and dark, read-outs on the curves, and the price chart. Everything else on the page is plain HTML.
(() => {
  const root = document.documentElement;
  const redraws = [];
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    redraws.forEach((draw) => draw());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraws.forEach((draw) => draw()));

  const rupees = (amount) => (amount < -0.5 ? "−" : "") + "₹" + Math.round(Math.abs(amount)).toLocaleString("en-US");

  for (const plot of document.querySelectorAll("[data-plot]")) {
    const { labels, lines } = JSON.parse(plot.dataset.plot);
    const cursor = Object.assign(document.createElement("div"), { className: "cursor", hidden: true });
    const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
    plot.append(cursor, tip);
    const show = (event) => {
      const box = plot.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      const point = Math.round(share * (labels.length - 1));
      const left = labels.length > 1 ? (100 * point) / (labels.length - 1) : 50;
      cursor.hidden = tip.hidden = false;
      cursor.style.left = left + "%";
      tip.style.left = left < 50 ? `calc(${left}% + 10px)` : "auto";
      tip.style.right = left < 50 ? "auto" : `calc(${100 - left}% + 10px)`;
      tip.replaceChildren(...[labels[point], ...lines.map((line) => `${line.name} ${rupees(line.values[point])}`)].map(
        (text) => Object.assign(document.createElement("span"), { textContent: text })));
    };
    plot.addEventListener("pointermove", show);
    plot.addEventListener("pointerdown", show);
    plot.addEventListener("pointerleave", () => { cursor.hidden = tip.hidden = true; });
  }

  const MOST_MARKED = 600; // trades in view above which marks would only hide the price
  const canvas = document.getElementById("candles");
  if (!canvas) return;
  const readout = document.getElementById("readout");
  const day = document.getElementById("day");

  const unpack = async (id) => {
    const text = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // The reverse of prices.py: byte planes to integers, differences to prices.
  const decode = (planes, facts) => {
    const n = facts.count;
    const column = (number) => {
      const out = new Int32Array(n);
      const bytes = new Uint8Array(out.buffer);
      const from = number * 4 * n;
      for (let plane = 0; plane < 4; plane++) for (let i = 0; i < n; i++) bytes[4 * i + plane] = planes[from + plane * n + i];
      return out;
    };
    const [minute, gap, body, above, below, volume] = [0, 1, 2, 3, 4, 5].map(column);
    const [open, high, low, close] = [0, 1, 2, 3].map(() => new Float64Array(n));
    let last = 0;
    for (let i = 0; i < n; i++) {
      const o = last + gap[i], c = o + body[i];
      open[i] = o * facts.step; close[i] = c * facts.step;
      high[i] = (Math.max(o, c) + above[i]) * facts.step; low[i] = (Math.min(o, c) - below[i]) * facts.step;
      last = c;
    }
    const session = new Int32Array(n);
    facts.sessions.forEach((start, k) => session.fill(k, start, facts.sessions[k + 1] ?? n));
    return { n, minute, open, high, low, close, volume, session };
  };

  const clock = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const points = (price) => price.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const step = (rough) => { const power = 10 ** Math.floor(Math.log10(rough)); return power * [1, 2, 2.5, 5, 10].find((u) => power * u >= rough * 0.999); };

  const start = (bars, facts) => {
    let from = 0, to = bars.n, pointer = null, chosen = -1;
    const first = (k) => facts.sessions[k];
    const end = (k) => facts.sessions[k + 1] ?? bars.n;
    const middleSession = () => bars.session[Math.min(bars.n - 1, Math.max(0, Math.floor((from + to) / 2)))];
    const colours = () => {
      const style = getComputedStyle(root);
      return Object.fromEntries(["ink", "soft", "faint", "hair", "card", "gain", "loss", "accent"].map((name) => [name, style.getPropertyValue("--" + name).trim()]));
    };

    const draw = () => {
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
      const pen = canvas.getContext("2d"), colour = colours();
      pen.scale(ratio, ratio);
      pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
      const right = width - 62, bottom = height - 24, volumeTop = bottom - 56, priceBottom = volumeTop - 10;
      const a = Math.max(0, Math.floor(from)), b = Math.min(bars.n, Math.ceil(to));
      let low = Infinity, high = -Infinity, most = 1;
      for (let i = a; i < b; i++) { low = Math.min(low, bars.low[i]); high = Math.max(high, bars.high[i]); most = Math.max(most, bars.volume[i]); }
      const margin = (high - low || 1) * 0.06; low -= margin; high += margin;
      const x = (bar) => ((bar + 0.5 - from) / (to - from)) * right;
      const y = (price) => 6 + ((high - price) / (high - low)) * (priceBottom - 6);
      const wide = right / (to - from);

      pen.fillStyle = colour.soft; pen.strokeStyle = colour.faint; pen.lineWidth = 1; pen.textBaseline = "middle"; pen.textAlign = "left";
      const rise = step((high - low) / 6);
      for (let price = Math.ceil(low / rise) * rise; price < high; price += rise) {
        pen.beginPath(); pen.moveTo(0, y(price)); pen.lineTo(right, y(price)); pen.stroke();
        pen.fillText(price.toLocaleString("en-US", { maximumFractionDigits: rise < 1 ? 2 : 0 }), right + 8, y(price));
      }
      pen.textAlign = "center"; pen.textBaseline = "alphabetic";
      let lastLabel = -1e9;
      const label = (text, at) => { if (at - lastLabel > 76 && at > 24 && at < right - 20) { pen.fillText(text, at, height - 7); lastLabel = at; } };
      const firstSession = bars.session[a], lastSession = bars.session[b - 1];
      if (lastSession - firstSession < 2) {
        for (let i = a; i < b; i++) if (bars.minute[i] % 30 === 0) label(clock(bars.minute[i]), x(i));
      }
      for (let k = firstSession; k <= lastSession; k++) {
        const at = x(first(k)) - wide / 2;
        if (lastSession - firstSession < 60 && at > 0) {
          pen.strokeStyle = colour.hair; pen.setLineDash([2, 3]); pen.beginPath(); pen.moveTo(at, 0); pen.lineTo(at, bottom); pen.stroke(); pen.setLineDash([]);
        }
        if (lastSession - firstSession >= 2) label(facts.dates[k], Math.max(at + 36, 36));
      }

      // Several bars to a pixel are drawn as one line from their lowest to their highest price.
      const perColumn = Math.max(1, Math.ceil(1.2 / wide));
      for (let i = a; i < b; i += perColumn) {
        const until = Math.min(b, i + perColumn), at = x((i + until - 1) / 2);
        let top = -Infinity, base = Infinity, volume = 0;
        for (let j = i; j < until; j++) { top = Math.max(top, bars.high[j]); base = Math.min(base, bars.low[j]); volume = Math.max(volume, bars.volume[j]); }
        const up = bars.close[until - 1] >= bars.open[i];
        const tall = ((bottom - volumeTop) * volume) / most, body = Math.max(1, Math.min(14, wide * perColumn * 0.68));
        pen.globalAlpha = 0.35; pen.fillStyle = up ? colour.gain : colour.loss;
        pen.fillRect(at - body / 2, bottom - tall, body, tall); pen.globalAlpha = 1;
        pen.strokeStyle = pen.fillStyle; pen.beginPath(); pen.moveTo(at, y(top)); pen.lineTo(at, y(base)); pen.stroke();
        if (wide >= 3) {
          const upper = y(Math.max(bars.open[i], bars.close[i])), lower = y(Math.min(bars.open[i], bars.close[i]));
          if (up) { pen.fillStyle = colour.card; pen.fillRect(at - body / 2, upper, body, Math.max(1, lower - upper)); pen.strokeRect(at - body / 2, upper, body, Math.max(1, lower - upper)); }
          else pen.fillRect(at - body / 2, upper, body, Math.max(1, lower - upper));
        }
      }

      const triangle = (px, py, up, size) => { pen.beginPath(); pen.moveTo(px, py); pen.lineTo(px - size, py + (up ? size * 1.7 : -size * 1.7)); pen.lineTo(px + size, py + (up ? size * 1.7 : -size * 1.7)); pen.closePath(); pen.fill(); };
      const visible = facts.entry.map((_, t) => t).filter((t) => facts.exit[t] >= a && facts.entry[t] < b);
      pen.save(); pen.beginPath(); pen.rect(0, 0, right, height); pen.clip();
      if (visible.length <= MOST_MARKED) for (const t of visible) {
        const long = facts.size[t] > 0, won = facts.net[t] > 0, x0 = x(facts.entry[t]), x1 = x(facts.exit[t]);
        pen.strokeStyle = won ? colour.gain : colour.loss; pen.lineWidth = t === chosen ? 2.5 : 1.4; pen.setLineDash([4, 3]);
        pen.beginPath(); pen.moveTo(x0, y(facts.entryPrice[t])); pen.lineTo(x1, y(facts.exitPrice[t])); pen.stroke(); pen.setLineDash([]); pen.lineWidth = 1;
        const size = visible.length > 60 ? 3.5 : 5.5;
        pen.strokeStyle = colour.card;
        pen.fillStyle = long ? colour.gain : colour.loss; triangle(x0, y(facts.entryPrice[t]), long, size); pen.stroke();
        pen.fillStyle = won ? colour.gain : colour.loss; pen.beginPath(); pen.arc(x1, y(facts.exitPrice[t]), size * 0.8, 0, 7); pen.fill(); pen.stroke();
      }
      pen.restore();
      if (pointer !== null && pointer < right) {
        const i = Math.min(bars.n - 1, Math.max(0, Math.floor(from + (pointer / right) * (to - from))));
        pen.strokeStyle = colour.soft; pen.beginPath(); pen.moveTo(x(i), 0); pen.lineTo(x(i), bottom); pen.stroke();
        tell(i);
      }
    };

    const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
    const tell = (i) => {
      readout.replaceChildren(bold(`${facts.dates[bars.session[i]]} ${clock(bars.minute[i])}`), `  open ${points(bars.open[i])}  high ${points(bars.high[i])}  low ${points(bars.low[i])}  close `, bold(points(bars.close[i])), `  volume ${(bars.volume[i] * facts.volumeUnit).toLocaleString("en-US")}`);
    };
    const announce = () => {
      const k = bars.session[Math.max(0, Math.floor(from))], last = bars.session[Math.min(bars.n - 1, Math.ceil(to) - 1)];
      const inside = facts.entry.map((_, t) => t).filter((t) => facts.entry[t] >= from && facts.entry[t] < to);
      const net = inside.reduce((sum, t) => sum + facts.net[t], 0);
      readout.replaceChildren(bold(k === last ? facts.dates[k] : `${facts.dates[k]} to ${facts.dates[last]}`), `  ${inside.length === 1 ? "1 trade" : `${inside.length.toLocaleString("en-US")} trades`}, net `, bold(rupees(net)), inside.length > MOST_MARKED ? "  zoom in to see them marked" : "");
      day.value = facts.dates[middleSession()];
      list(inside);
    };
    const explained = facts.why.some(Boolean);
    document.querySelector("#trades .why").hidden = !explained;
    const list = (inside) => {
      const body = document.querySelector("#trades tbody");
      const rows = inside.slice(0, 60).map((t) => {
        const row = document.createElement("tr"), e = facts.entry[t], x = facts.exit[t];
        const cells = [`${facts.dates[bars.session[e]]} ${clock(bars.minute[e])}`, clock(bars.minute[x]), facts.size[t] > 0 ? "long" : "short", Math.abs(facts.size[t]).toLocaleString("en-US"), points(facts.entryPrice[t]), points(facts.exitPrice[t]), facts.reason[t].replaceAll("_", " "), facts.probability[t] ?? "–", rupees(facts.gross[t]), rupees(facts.net[t]), ...(explained ? [facts.why[t]] : [])];
        row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
        row.cells[9].className = facts.net[t] > 0 ? "gain" : "loss";
        if (explained) row.lastChild.className = "why";
        row.addEventListener("click", () => { chosen = t; view(e - 30, x + 30); });
        return row;
      });
      if (inside.length > rows.length) {
        const more = document.createElement("tr");
        more.append(Object.assign(document.createElement("td"), { colSpan: explained ? 11 : 10, textContent: `and ${inside.length - rows.length} more in view; zoom in to list them` }));
        rows.push(more);
      }
      body.replaceChildren(...rows);
    };

    const view = (a, b) => {
      const span = Math.min(bars.n, Math.max(12, b - a)), centre = (a + b) / 2;
      from = Math.min(Math.max(0, centre - span / 2), bars.n - span); to = from + span;
      for (const button of document.querySelectorAll("[data-days]")) button.setAttribute("aria-pressed", "false");
      draw(); announce();
    };
    const showSessions = (k, days) => {
      const left = Math.max(0, Math.min(k, facts.sessions.length - (days || 1)));
      view(days ? first(left) : 0, days ? end(Math.min(facts.sessions.length - 1, left + days - 1)) : bars.n);
      document.querySelector(`[data-days="${days}"]`)?.setAttribute("aria-pressed", "true");
    };
    const shift = (sessions) => {
      const k = Math.min(facts.sessions.length - 1, Math.max(0, bars.session[Math.max(0, Math.round(from))] + sessions));
      const days = Math.max(1, bars.session[Math.min(bars.n - 1, Math.ceil(to) - 1)] - bars.session[Math.max(0, Math.round(from))] + 1);
      showSessions(k, days);
    };

    for (const button of document.querySelectorAll("[data-go]")) button.addEventListener("click", () => shift(Number(button.dataset.go)));
    for (const button of document.querySelectorAll("[data-days]")) button.addEventListener("click", () => showSessions(middleSession(), Number(button.dataset.days)));
    for (const button of document.querySelectorAll("[data-trade]")) button.addEventListener("click", () => {
      if (!facts.entry.length) return;
      const ahead = Number(button.dataset.trade) > 0, here = (from + to) / 2;
      const next = chosen >= 0 ? chosen + (ahead ? 1 : -1) : facts.entry.findIndex((bar) => bar >= here);
      chosen = Math.min(facts.entry.length - 1, Math.max(0, next < 0 ? facts.entry.length - 1 : next));
      view(facts.entry[chosen] - 30, facts.exit[chosen] + 30);
    });
    day.addEventListener("change", () => {
      const k = facts.dates.findIndex((date) => date >= day.value);
      if (day.value) showSessions(k < 0 ? facts.dates.length - 1 : k, 1);
    });
    const zoom = (factor, share) => { const at = from + share * (to - from); view(at - share * (to - from) * factor, at + (1 - share) * (to - from) * factor); };
    canvas.addEventListener("wheel", (event) => { if (document.activeElement !== canvas && !event.ctrlKey) return; event.preventDefault(); zoom(event.deltaY > 0 ? 1.18 : 1 / 1.18, event.offsetX / canvas.clientWidth); }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const actions = { ArrowLeft: () => shift(-1), ArrowRight: () => shift(1), "+": () => zoom(0.7, 0.5), "=": () => zoom(0.7, 0.5), "-": () => zoom(1.4, 0.5) };
      if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
    });
    const touches = new Map();
    canvas.addEventListener("pointerdown", (event) => { canvas.focus({ preventScroll: true }); canvas.setPointerCapture(event.pointerId); touches.set(event.pointerId, event.offsetX); });
    canvas.addEventListener("pointermove", (event) => {
      const before = touches.get(event.pointerId);
      if (before !== undefined && touches.size === 1) {
        const moved = ((before - event.offsetX) / canvas.clientWidth) * (to - from);
        view(from + moved, to + moved);
      } else if (before !== undefined && touches.size === 2) {
        const [other] = [...touches].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const factor = Math.abs(before - other) / Math.max(8, Math.abs(event.offsetX - other));
        zoom(factor, (event.offsetX + other) / 2 / canvas.clientWidth);
      }
      if (before !== undefined) touches.set(event.pointerId, event.offsetX);
      pointer = event.offsetX; draw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => touches.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => { pointer = null; draw(); announce(); });
    addEventListener("resize", draw);
    redraws.push(draw);

    // Open on the last session that has a trade: that is what most readers look for first.
    const lastTraded = facts.entry.length ? bars.session[facts.entry[facts.entry.length - 1]] : facts.sessions.length - 1;
    showSessions(lastTraded, 1);
  };

  Promise.all([unpack("packed-bars"), unpack("packed-trades")]).then(([planes, text]) => {
    const facts = JSON.parse(new TextDecoder().decode(text));
    start(decode(planes, facts), facts);
    canvas.dataset.ready = "true";
  }).catch((error) => { readout.textContent = `The price chart could not be drawn: ${error.message}. A browser from 2023 or later is needed.`; });
})();
