// Orders of a person: who may give them, what each will do, and what came of it.
import { element, find, put, result } from "./words.js";
import { heldWords, isSilent, showMode } from "./verdict.js";

const ANSWER_MILLISECONDS = 10_000; // the server itself waits three seconds for the trading process
const TOAST_MILLISECONDS = 8_000;

let session = { logged_in: false, csrf: "", controls: false };
let status = null, link = {}, waiting = "", asked = null;

const closing = (now) => {
  const open = heldWords(now), profit = now?.account?.unrealised;
  if (!now?.account) return ["Close whatever is open: the page does not know what that is."];
  return open ? [`Close ${open} at the market.`, `At the last price that is ${result(profit)} before the charges of the exit.`] : ["Nothing is open now; what may fill meanwhile is closed too."];
};

const QUESTIONS = {
  flatten: (now) => ({ title: `Flatten${heldWords(now) ? `: close ${heldWords(now)}` : ""} and pause`, words: [...closing(now), "Pause entries until you resume."], go: "Flatten and pause", isDanger: true }),
  kill: (now) => ({ title: "Turn the kill switch on", words: [...closing(now), "No entry, today or on any later day, until somebody lifts it. A restart does not lift it."], go: "Kill", isDanger: true }),
  lift: (now) => ({ title: "Lift the kill switch", words: [now?.kill_switch ? `It is on: ${now.kill_switch}` : "It is on.", now?.paused ? "Entries stay paused until you resume." : "Entries are allowed again at once."], go: "Lift", word: "LIFT" }),
};

const toast = (outcome, head, words) => {
  const close = element("button", "", "✕");
  close.type = "button"; close.setAttribute("aria-label", "Close this message");
  const note = element("div", `toast ${outcome}`, element("p", "", element("b", "", head), words), close);
  close.addEventListener("click", () => note.remove());
  find("toasts").append(note);
  if (outcome === "done") setTimeout(() => note.remove(), TOAST_MILLISECONDS);
};

const post = async (path, body) => {
  const answer = await fetch(path, {
    method: "POST", cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MILLISECONDS),
    headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf }, body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  return { code: answer.status, told };
};

export const readSession = async () => {
  const answer = await fetch("api/session", { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(ANSWER_MILLISECONDS) });
  if (answer.ok) session = await answer.json();
  show();
};

// Resolves to whether there is a session now.
export const askToken = (words = "") => {
  const dialog = find("token"), field = find("token-field");
  if (asked) return asked.promise;
  if (words) put("token-words", words);
  put("token-error", ""); field.value = "";
  asked = {};
  asked.promise = new Promise((resolve) => { asked.resolve = resolve; });
  if (find("confirm").open) find("confirm").close();
  dialog.showModal(); field.focus();
  return asked.promise;
};

const answerToken = (isIn) => { asked?.resolve(isIn); asked = null; };

const sendToken = async (event) => {
  event.preventDefault();
  const button = find("token-send");
  button.disabled = true; put("token-error", "");
  try {
    const { code, told } = await post("session", { token: find("token-field").value });
    if (code === 200) { session = told; answerToken(true); find("token").close(); show(); }
    else { put("token-error", told.error || `The page's server answered ${code}.`); find("token-field").select(); }
  } catch { put("token-error", "No answer from the page's server; try again."); }
  button.disabled = false;
};

const confirmed = (command) => new Promise((resolve) => {
  const dialog = find("confirm"), field = find("confirm-field");
  dialog.dataset.command = command; field.value = "";
  showQuestion();
  const finish = (answer) => { dialog.removeEventListener("close", closed); form.removeEventListener("submit", submitted); dialog.close(); resolve(answer); };
  const closed = () => finish(null);
  const submitted = (event) => { event.preventDefault(); if (!find("confirm-do").disabled) finish(find("confirm-typing").hidden ? {} : { word: field.value.trim() }); };
  const form = find("confirm-form");
  dialog.addEventListener("close", closed); form.addEventListener("submit", submitted);
  dialog.showModal();
  (find("confirm-typing").hidden ? find("confirm-cancel") : field).focus();
});

// Also called while the question stands: the position may change meanwhile.
const showQuestion = () => {
  const dialog = find("confirm"), make = QUESTIONS[dialog.dataset.command];
  if (!make) return;
  const now = status?.now, question = make(now);
  put("confirm-title", question.title);
  const words = [...question.words, ...(isSilent(status) ? ["The trading process is silent: this may not be carried out. Use your broker's own app as well."] : [])];
  if (find("confirm-words").dataset.words !== words.join("\n")) {
    find("confirm-words").dataset.words = words.join("\n");
    find("confirm-words").replaceChildren(...words.map((text) => element("li", "", text)));
  }
  if (now) showMode(find("confirm-mode"), now.mode); else find("confirm-mode").hidden = true;
  const button = find("confirm-do");
  put("confirm-do", question.go);
  button.className = question.isDanger ? "primary danger" : "primary";
  find("confirm-typing").hidden = !question.word;
  put("confirm-word", question.word ?? "");
  button.disabled = Boolean(question.word) && find("confirm-field").value.trim() !== question.word;
};

const order = async (command, name) => {
  if (waiting) return;
  if (!session.logged_in && !(await askToken())) return;
  const fields = command in QUESTIONS ? await confirmed(command) : {};
  if (!fields) return;
  waiting = command; show();
  try {
    let { code, told } = await post(`api/control/${command}`, fields);
    if (code === 401 || code === 403) {
      // The session may have ended with a restart of the server, or its token be that of an older one
      await readSession();
      if (session.controls && (session.logged_in || (await askToken("The session has ended. The token is needed once more.")))) ({ code, told } = await post(`api/control/${command}`, fields));
    }
    const outcome = ["done", "refused", "unknown"].includes(told.outcome) ? told.outcome : "refused";
    toast(outcome, `${name}: ${outcome === "unknown" ? "not known" : outcome}`, told.words || told.error || `The page's server answered ${code}.`);
  } catch (error) {
    toast("unknown", `${name}: not known`, `No answer (${error.name}). It may or may not have been carried out: look at the state and the events.`);
  }
  waiting = ""; show();
};

const show = () => {
  const now = status?.now, can = Boolean(status?.controls.can) && session.controls && !link.isLost && !link.needsToken;
  const why = link.isLost ? "" : !session.controls && status?.controls.can ? "This page only shows." : status?.controls.why_not || "";
  const why_not = find("why-not");
  why_not.hidden = can || !why; put("why-not", why);
  const set = (id, command, text) => {
    const button = find(id), isBusy = waiting === button.dataset.command && waiting !== "";
    button.dataset.command = command;
    put(id, isBusy ? "…" : text);
    button.setAttribute("aria-busy", String(isBusy));
    button.disabled = !can || waiting !== "";
  };
  set("pause", now?.paused ? "resume" : "pause", now?.paused ? "Resume entries" : "Pause entries");
  set("flatten", "flatten", "Flatten");
  set("kill", now?.kill_switch ? "lift" : "kill", now?.kill_switch ? "Lift kill switch" : "Kill switch");
  find("kill").classList.toggle("danger", !now?.kill_switch);
  const needsLogin = now?.broker?.session === "dead" || now?.preflight?.some((check) => check.name.includes("login") && check.outcome === "no_go");
// Before the session nobody has asked the broker yet: the login is offered, but not urged
  find("login").hidden = !(can && now?.login_page && now.phase !== "over" && (needsLogin || now.broker?.session !== "alive"));
  find("login").classList.toggle("urgent", Boolean(needsLogin));
  find("access").hidden = !session.controls && !link.needsToken;
  put("access", session.logged_in && !link.needsToken ? "Lock" : "Unlock");
  find("access").title = session.logged_in ? "End this browser's session" : "The controls need the token of this page";
  if (find("confirm").open) showQuestion();
};

export const showControls = (newest, connection) => { status = newest; link = connection; show(); };

export const startControls = () => {
  for (const button of document.querySelectorAll("[data-command]")) button.addEventListener("click", () => order(button.dataset.command, button.textContent));
  find("token-form").addEventListener("submit", sendToken);
  find("token-cancel").addEventListener("click", () => find("token").close());
  find("token").addEventListener("close", () => answerToken(false));
  find("confirm-cancel").addEventListener("click", () => find("confirm").close());
  find("confirm-field").addEventListener("input", showQuestion);
  find("access").addEventListener("click", async () => {
    if (!session.logged_in || link.needsToken) { await askToken(); return; }
    try { const { told } = await post("session/end", {}); session = { ...session, ...told, logged_in: false, csrf: "" }; } catch { toast("unknown", "Lock", "No answer from the page's server."); }
    show();
  });
  find("login").addEventListener("click", async (event) => {
    if (session.logged_in) return;
    event.preventDefault();
    if (await askToken()) location.assign(find("login").href);
  });
};
