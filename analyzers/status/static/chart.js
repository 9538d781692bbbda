// The two canvases of the page: the day's candles with what was decided and done, and the day's profit.
import { NOTHING, grouped, instant, points, result, signed, timeAs } from "./words.js";

const AXIS = 66; // pixels for the prices at the right
const FOOT = 20; // pixels for the times below
const ROOM = 3; // bars left free at the right, for what happens in the bar that is still being built
const FEWEST = 24; // bars the width is made for, so that the first candles of a day are no barn doors

const roundStep = (rough) => {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 2.5, 5, 10].find((unit) => power * unit >= rough * 0.999);
};

const coloursOf = () => {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(
    ["ink", "soft", "faint", "hair", "card", "gain", "loss", "accent", "on", "paper"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
};

class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.data = null;
    this.pointer = null;
    const point = (event) => { this.pointer = event.offsetX; this.draw(); };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    for (const name of ["pointerleave", "pointercancel", "blur"]) canvas.addEventListener(name, () => { this.pointer = null; this.draw(); });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const step = this.stepPixels ?? 8;
      this.pointer = Math.min(this.right - 1, Math.max(0, (this.pointer ?? this.right) + steps[event.key] * step));
      this.draw();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(data) { this.data = data; this.draw(); }

  begin() {
    const { canvas } = this, ratio = devicePixelRatio || 1;
    this.width = canvas.clientWidth; this.height = canvas.clientHeight;
    const wide = Math.round(this.width * ratio), high = Math.round(this.height * ratio);
    if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.lineWidth = 1;
    this.colour = coloursOf();
    return pen;
  }
}

const line = (pen, x0, y0, x1, y1, colour, dash = []) => {
  pen.strokeStyle = colour; pen.setLineDash(dash);
  pen.beginPath(); pen.moveTo(x0, y0); pen.lineTo(x1, y1); pen.stroke(); pen.setLineDash([]);
};

export class EquityChart extends Chart {
  draw() {
    const pen = this.begin(), { colour, data } = this;
    if (!data || !data.length || this.width < 60) return;
    const times = data.map(([time]) => instant(time)), values = data.map(([, value]) => value);
    const right = (this.right = this.width - AXIS), top = 10, bottom = this.height - 10;
    this.stepPixels = right / Math.max(12, data.length);
    const low = Math.min(0, ...values), high = Math.max(0, ...values), span = high - low || 1;
    const first = times[0], last = Math.max(times.at(-1), first + 60_000);
    const x = (time) => ((time - first) / (last - first)) * right;
    const y = (value) => bottom - ((value - low) / span) * (bottom - top);
    line(pen, 0, y(0), right, y(0), colour.hair);
    const path = () => { pen.beginPath(); times.forEach((time, i) => (i ? pen.lineTo(x(time), y(values[i])) : pen.moveTo(x(time), y(values[i])))); };
    for (const [side, from, until] of [["gain", 0, y(0)], ["loss", y(0), this.height]]) {
      pen.save(); pen.beginPath(); pen.rect(0, from, right + 8, until - from); pen.clip();
      path(); pen.lineTo(x(times.at(-1)), y(0)); pen.lineTo(x(first), y(0)); pen.closePath();
      pen.globalAlpha = 0.15; pen.fillStyle = colour[side]; pen.fill(); pen.globalAlpha = 1;
      path(); pen.strokeStyle = colour[side]; pen.lineWidth = 1.9; pen.lineJoin = "round"; pen.stroke(); pen.lineWidth = 1;
      pen.restore();
    }
    const now = values.at(-1);
    pen.textAlign = "left"; pen.textBaseline = "middle"; pen.fillStyle = colour.soft;
    const taken = [];
    for (const value of [now, 0, high, low]) {
      if (taken.some((other) => Math.abs(y(other) - y(value)) < 14)) continue;
      taken.push(value);
      pen.fillStyle = value === now ? colour.ink : colour.soft;
      pen.fillText(result(value), right + 10, y(value));
    }
    pen.fillStyle = now < 0 ? colour.loss : colour.gain;
    pen.beginPath(); pen.arc(x(times.at(-1)), y(now), 3.5, 0, 7); pen.fill();
    if (this.pointer !== null && this.pointer <= right) {
      const at = first + (this.pointer / right) * (last - first);
      let i = times.findIndex((time) => time > at);
      i = Math.max(0, (i < 0 ? times.length : i) - 1);
      line(pen, x(times[i]), 0, x(times[i]), this.height, colour.soft);
      const text = `${timeAs("minute", times[i])}  ${result(values[i])}`, wide = pen.measureText(text).width + 12;
      const left = Math.min(right - wide, Math.max(0, x(times[i]) - wide / 2));
      pen.fillStyle = colour.ink; pen.fillRect(left, 0, wide, 18);
      pen.fillStyle = colour.paper; pen.fillText(text, left + 6, 9);
    }
  }
}

export class CandleChart extends Chart {
  constructor(canvas, tell) {
    super(canvas);
    this.tell = tell;
    this.minutes = 0;
  }

  zoom(minutes) { this.minutes = minutes; this.draw(); }

  // Where a time lies between the bars: bars are placed by number, so that a gap takes no room.
  place(iso) {
    const at = instant(iso), { starts, step } = this;
    let bar = starts.length - 1;
    while (bar > 0 && starts[bar] > at) bar--;
    return bar + Math.min(ROOM - 0.5, Math.max(0, (at - starts[bar]) / step));
  }

  draw() {
    const pen = this.begin(), { colour, data } = this;
    if (!data || !data.candles.length || this.width < 120) return;
    const all = data.candles;
    this.starts = all.map(([start]) => instant(start));
    const gaps = this.starts.slice(1).map((start, i) => start - this.starts[i]);
    this.step = gaps.length ? Math.min(...gaps) : 180_000;
    const shown = this.minutes ? Math.ceil((this.minutes * 60_000) / this.step) : all.length;
    const from = Math.max(0, all.length - shown), count = Math.max(FEWEST, all.length - from + ROOM);
    const bars = all.slice(from);
    const right = (this.right = this.width - AXIS), bottom = this.height - FOOT, volumeTop = bottom - 44, floor = volumeTop - 8;
    const wide = right / count, body = Math.max(1, Math.min(13, wide * 0.68));
    this.stepPixels = wide;
    const x = (bar) => (bar - from + 0.5) * wide;

    const marks = data.lines.filter(({ price }) => Number.isFinite(price));
    const prices = [...bars.flatMap(([, , high, low]) => [high, low]), ...marks.map(({ price }) => price)];
    let low = Math.min(...prices), high = Math.max(...prices);
    const margin = (high - low || 1) * 0.07; low -= margin; high += margin;
    const y = (price) => 6 + ((high - price) / (high - low)) * (floor - 6);

    pen.textBaseline = "middle"; pen.textAlign = "left";
    const rise = roundStep((high - low) / 6);
    for (let price = Math.ceil(low / rise) * rise; price < high; price += rise) {
      line(pen, 0, y(price), right, y(price), colour.faint);
      if (marks.some((mark) => Math.abs(y(mark.price) - y(price)) < 13)) continue;
      pen.fillStyle = colour.soft; pen.fillText(grouped(price, rise < 1 ? 2 : 0), right + 8, y(price));
    }
    pen.textAlign = "center";
    let lastLabel = -1e9;
    bars.forEach((_, i) => {
      const at = x(from + i), minute = timeAs("minute", this.starts[from + i]);
      if (!/:(00|30)$/.test(minute) && !(this.minutes && this.minutes <= 60 && /:(15|45)$/.test(minute))) return;
      if (at - lastLabel < 58 || at < 18 || at > right - 12) return;
      lastLabel = at; pen.fillStyle = colour.soft; pen.fillText(minute, at, this.height - 8);
    });

    const most = Math.max(1, ...bars.map((bar) => bar[5]));
    bars.forEach(([, open, top, base, close, volume, isComplete], i) => {
      const at = x(from + i), up = close >= open, tone = up ? colour.gain : colour.loss;
      const upper = y(Math.max(open, close)), tall = Math.max(1, y(Math.min(open, close)) - upper);
      pen.fillStyle = tone; pen.globalAlpha = 0.3;
      const volumeTall = ((bottom - volumeTop) * volume) / most;
      pen.fillRect(at - body / 2, bottom - volumeTall, body, volumeTall);
      pen.globalAlpha = isComplete ? 1 : 0.4;
      line(pen, at, y(top), at, y(base), tone);
      if (up && body >= 3) { pen.fillStyle = colour.card; pen.fillRect(at - body / 2, upper, body, tall); pen.strokeRect(at - body / 2, upper, body, tall); }
      else { pen.fillStyle = tone; pen.fillRect(at - body / 2, upper, body, tall); }
      pen.globalAlpha = 1;
    });

    pen.save(); pen.beginPath(); pen.rect(0, 0, right, bottom); pen.clip();
    const size = wide < 5 ? 3.6 : 5;
    for (const decision of data.decisions) {
      const bar = this.place(decision.start), candle = all[Math.floor(bar)];
      if (!candle || !decision.side) continue;
      const buys = decision.side > 0, acted = decision.units && !decision.denied;
      const tip = buys ? y(candle[3]) + 6 : y(candle[2]) - 6, base = tip + (buys ? 1.6 : -1.6) * size;
      pen.beginPath(); pen.moveTo(x(bar), tip); pen.lineTo(x(bar) - size, base); pen.lineTo(x(bar) + size, base); pen.closePath();
      pen.fillStyle = pen.strokeStyle = buys ? colour.gain : colour.loss;
      if (acted) pen.fill(); else { pen.globalAlpha = 0.75; pen.stroke(); pen.globalAlpha = 1; }
    }
    pen.lineWidth = 1.6;
    for (const trade of data.trades) if (trade.exit_time) {
      const tone = trade.net_pnl > 0 ? colour.gain : colour.loss;
      line(pen, x(this.place(trade.entry_time)), y(trade.entry_price), x(this.place(trade.exit_time)), y(trade.exit_price), tone, [4, 3]);
    }
    for (const fill of data.fills) {
      const isEntry = fill.role === "entry";
      pen.beginPath(); pen.arc(x(this.place(fill.time)), y(fill.price), wide < 5 ? 3 : 4, 0, 7);
      pen.fillStyle = isEntry ? colour.ink : colour.card; pen.strokeStyle = isEntry ? colour.card : colour.ink; pen.lineWidth = isEntry ? 1.2 : 2;
      pen.fill(); pen.stroke();
    }
    pen.lineWidth = 1; pen.restore();

    pen.textAlign = "left";
    for (const mark of marks) {
      const tone = colour[mark.colour], begin = mark.since ? Math.max(0, x(this.place(mark.since))) : 0;
      line(pen, begin, y(mark.price), right, y(mark.price), tone, mark.dash);
      pen.fillStyle = tone; pen.fillRect(right, y(mark.price) - 8, AXIS, 16);
      pen.fillStyle = mark.colour === "ink" ? colour.paper : colour.on; pen.fillText(points(mark.price), right + 5, y(mark.price) + 0.5);
      if (mark.name) {
        pen.fillStyle = tone; pen.textAlign = "right"; pen.fillText(mark.name, right - 5, y(mark.price) - 8); pen.textAlign = "left";
      }
    }

    const chosen = this.pointer === null || this.pointer >= right ? all.length - 1 : Math.min(all.length - 1, from + Math.max(0, Math.floor(this.pointer / wide)));
    if (this.pointer !== null && this.pointer < right) line(pen, x(chosen), 0, x(chosen), bottom, colour.soft);
    const [start, open, top, base, close, volume, isComplete] = all[chosen];
    const decision = data.decisions.find((one) => instant(one.start) === this.starts[chosen]);
    this.tell({
      time: timeAs("minute", start),
      prices: `open ${points(open)}  high ${points(top)}  low ${points(base)}  close ${points(close)}  volume ${volume ? grouped(volume) : NOTHING}`,
      notes: [isComplete ? "" : "incomplete", decision ? `${decision.side > 0 ? "buy" : "sell"}${decision.denied ? ` denied: ${decision.denied}` : decision.units ? ` ${signed(Math.abs(decision.units))}` : ", not acted on"}` : ""].filter(Boolean).join(", "),
    });
  }
}
