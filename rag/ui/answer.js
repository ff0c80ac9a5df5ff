// Draws one question with its answer: sentences, verdict marks, citation chips, notices, passages.
// Everything that comes from documents, people or a model enters as text nodes, never as markup.
const MARKS = { supported: "✓", partly: "partly supported", unsupported: "not supported", uncited: "no line cited" };
const SAID = {
  supported: "The words of this sentence stand in the cited lines.",
  partly: "Only part of this sentence’s words stand in the cited lines.",
  unsupported: "The words of this sentence do not stand in the cited lines.",
  uncited: "This sentence cites no line.",
};
const LEGEND = [
  ["supported", "the words of the sentence stand in the cited lines"],
  ["partly", "only part of them stands there"],
  ["unsupported", "they do not stand there"],
  ["uncited", "the sentence names no line"],
];
const CAUTION =
  "The words, numbers, names and dates of each sentence are held against the lines it cites. " +
  "This is a check of words, not of meaning: read the line before you rely on it.";

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const button = (className, text, name, label, press) => {
  const made = element("button", className, text);
  made.type = "button";
  made.dataset.name = name;
  if (label) made.setAttribute("aria-label", label);
  made.onclick = press;
  return made;
};

function drawSentence(sentence, index, data, send, opened) {
  const chosen = sentence.citations.includes(data.selected);
  const look = `sentence ${sentence.verdict}${chosen ? " chosen" : ""}`;
  // The last word stays with its marks, so that none of them begins a line alone.
  const cut = sentence.text.search(/\S{1,24}\s*$/);
  const parts = [element("span", look, sentence.text.slice(0, Math.max(cut, 0)))];
  const marks = element("span", "marks");
  if (cut >= 0) marks.append(element("span", look, sentence.text.slice(cut).trimEnd()));
  for (const number of sentence.citations) {
    const place = data.places[number] ?? "";
    const chip = button("chip", String(number), `chip-${index}-${number}`, `Show line ${number}: ${place}`, () =>
      send("cite", number),
    );
    chip.title = place;
    chip.setAttribute("aria-pressed", String(number === data.selected));
    marks.append(chip);
  }
  const why = element("span", "why", [SAID[sentence.verdict], ...sentence.reasons].join(" "));
  why.dataset.sentence = String(index);
  const label = `Checked: ${SAID[sentence.verdict]} Press for the reasons.`;
  const mark = button(`mark ${sentence.verdict}`, MARKS[sentence.verdict], `mark-${index}`, label, () => {
    if (why.isConnected) why.remove();
    else marks.after(why);
    mark.setAttribute("aria-expanded", String(why.isConnected));
  });
  mark.title = SAID[sentence.verdict];
  mark.setAttribute("aria-expanded", String(opened.has(String(index))));
  marks.append(mark);
  parts.push(marks);
  if (opened.has(String(index))) parts.push(why);
  parts.push(" ");
  return parts;
}

function drawBody(data, send, opened) {
  const body = element("div", "body");
  let paragraph = null;
  data.sentences.forEach((sentence, index) => {
    if (!paragraph || sentence.starts_paragraph) {
      paragraph = body.appendChild(element("p", data.quotes ? "quote" : ""));
    }
    paragraph.append(...drawSentence(sentence, index, data, send, opened));
  });
  paragraph ??= body.appendChild(element("p"));
  paragraph.append(element("span", "tail"), element("span", "caret"));
  return body;
}

function drawPassages(data, send) {
  const list = element("div", "passages");
  if (!data.passages.length) return list;
  list.append(element("h3", "", data.passages_title));
  for (const passage of data.passages) {
    const each = list.appendChild(element("div", "passage"));
    const label = `Open ${passage.place} in the reader`;
    each.append(button("place", passage.place, `passage-${passage.rank}`, label, () => send("open", passage.rank)));
    // A line that goes on in small letters was broken by the page's width only.
    each.append(element("p", "quote", passage.text.replace(/([^\n])\n(?=\p{Ll})/gu, "$1 ")));
  }
  return list;
}

function drawFoot(data, send, unfolded) {
  const foot = element("div", "foot");
  const row = foot.appendChild(element("div", "row"));
  row.appendChild(element("span", data.busy ? "status busy" : "status")).setAttribute("role", "status");
  if (data.busy) {
    const stop = button("stop", data.stopping ? "Stopping …" : "Stop", "stop", "", () => send("stop", true));
    stop.disabled = data.stopping;
    row.append(stop);
  } else if (data.sentences.length) {
    const legend = element("div", "legend");
    legend.append(element("p", "", CAUTION));
    for (const [verdict, meaning] of LEGEND) {
      const line = legend.appendChild(element("p"));
      line.append(element("span", `mark ${verdict}`, MARKS[verdict]), " ", meaning);
    }
    const more = button("more", "What the marks mean", "legend", "", () => {
      if (legend.isConnected) legend.remove();
      else foot.append(legend);
      more.setAttribute("aria-expanded", String(legend.isConnected));
    });
    more.setAttribute("aria-expanded", String(unfolded));
    row.append(more);
    if (unfolded) foot.append(legend);
  }
  for (const line of data.footnotes) foot.append(element("p", "footnote", line));
  return foot;
}

function drawNotice(data) {
  const notice = element("div", data.notice ? `notice ${data.outcome}` : "", data.notice);
  if (data.notice) notice.setAttribute("role", data.outcome === "failed" ? "alert" : "note");
  return notice;
}

function drawHead(data) {
  const head = element("div");
  head.append(element("h2", "question", data.question));
  if (data.narrowed) head.append(element("p", "narrowed", data.narrowed));
  return head;
}

// What did not change is left as it stands: a button that is just being pressed must not be replaced.
function refresh(root, name, looks, draw) {
  const signature = JSON.stringify(looks);
  const known = root.sections[name];
  if (known?.signature === signature) return;
  const node = draw();
  if (known) known.node.replaceWith(node);
  else root.append(node);
  root.sections[name] = { signature, node };
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".turn");
  if (!root) {
    root = parentElement.appendChild(element("section", "turn"));
    root.sections = {};
    if (data.latest) requestAnimationFrame(() => root.scrollIntoView({ block: "start" }));
  }
  root.send = (name, value) => setTriggerValue("event", { name, value });
  const send = (name, value) => root.send(name, value);
  const opened = new Set([...root.querySelectorAll(".why")].map((node) => node.dataset.sentence));
  const unfolded = root.querySelector(".legend") !== null;
  const focused = root.getRootNode().activeElement?.dataset?.name;
  root.setAttribute("aria-busy", String(data.busy));
  root.setAttribute("aria-label", data.question);
  refresh(root, "head", [data.question, data.narrowed], () => drawHead(data));
  const { sentences, places, selected, quotes, busy, stopping, notice, outcome, passages, footnotes } = data;
  refresh(root, "body", [sentences, places, selected, quotes], () => drawBody(data, send, opened));
  refresh(root, "notice", [notice, outcome], () => drawNotice(data));
  refresh(root, "passages", passages, () => drawPassages(data, send));
  const plain = busy || !sentences.length;
  refresh(root, "foot", [busy, stopping, plain, footnotes], () => drawFoot(data, send, unfolded));
  root.querySelector(".tail").textContent = data.tail;
  root.querySelector(".caret").hidden = !busy || !(sentences.length || data.tail);
  root.querySelector(".status").textContent = data.status;
  const lost = focused && root.getRootNode().activeElement?.dataset?.name !== focused;
  if (lost) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}
