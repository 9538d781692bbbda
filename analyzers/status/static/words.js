// Figures and times as a trader reads them, and elements that only ever hold text.

const MARKET_ZONE = "Asia/Kolkata";
const MINUS = "−";
export const NOTHING = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const grouped = (value, digits = 0) =>
  isNumber(value)
    ? (value < 0 ? MINUS : "") + Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : NOTHING;

export const rupees = (amount) => (isNumber(amount) ? (amount <= -0.5 ? MINUS : "") + "₹" + grouped(Math.abs(Math.round(amount))) : NOTHING);
export const result = (amount) => (isNumber(amount) && Math.round(amount) > 0 ? "+" : "") + rupees(amount);
export const points = (price) => grouped(price, 2);
export const signed = (size) => (isNumber(size) && size > 0 ? "+" : "") + grouped(size);
export const percent = (share, digits = 0) => (isNumber(share) ? `${grouped(100 * share, digits)} %` : NOTHING);
export const short = (value) => (isNumber(value) ? (value < 0 ? MINUS : "") + Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 }) : NOTHING);
export const toneOf = (amount) => (!isNumber(amount) || Math.abs(amount) < 0.5 ? "" : amount > 0 ? "gain" : "loss");
export const plain = (name) => String(name ?? "").replaceAll("_", " ");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const counted = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

// A time without its zone is the exchange's.
export const instant = (iso) => {
  if (typeof iso !== "string" || iso === "") return NaN;
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso.replace(" ", "T")}+05:30`);
};

const formats = {
  minute: new Intl.DateTimeFormat("en-GB", { timeZone: MARKET_ZONE, hour: "2-digit", minute: "2-digit" }),
  second: new Intl.DateTimeFormat("en-GB", { timeZone: MARKET_ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  day: new Intl.DateTimeFormat("en-CA", { timeZone: MARKET_ZONE, year: "numeric", month: "2-digit", day: "2-digit" }),
  date: new Intl.DateTimeFormat("en-GB", { timeZone: MARKET_ZONE, weekday: "short", day: "numeric", month: "short", year: "numeric" }),
};
export const timeAs = (form, time) => {
  const at = typeof time === "number" ? time : instant(time);
  return Number.isNaN(at) ? NOTHING : formats[form].format(at);
};

export const duration = (seconds) => {
  if (!isNumber(seconds)) return NOTHING;
  if (seconds < 9.95) return `${grouped(Math.max(0, seconds), 1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min` : `${Math.round(seconds / 86400)} days`;
};

export const find = (id) => document.getElementById(id);

export const put = (id, text) => {
  const node = find(id);
  if (node.textContent !== text) node.textContent = text;
  return node;
};

// element("p", "hint", "text", child, ...): the class may be empty; children are texts or nodes.
export const element = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};

const share = (value) => `${(100 * Math.min(1, Math.max(0, value))).toFixed(2)}%`;

// Styles go through the object model: the page's policy allows no style attribute.
export const placed = (node, places) => {
  for (const [name, value] of Object.entries(places)) node.style.setProperty(`--${name}`, share(value));
  return node;
};
