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
  const parts = [element("span", `sentence ${sentence.verdict}${chosen ? " chosen" : ""}`, sentence.text)];
  const marks = element("span", "marks");
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
  if (data.tail || (data.busy && data.sentences.length)) {
    paragraph ??= body.appendChild(element("p"));
    paragraph.append(element("span", "tail", data.tail));
    if (data.busy) paragraph.append(element("span", "caret"));
  }
  return body;
}

function drawPassages(data, send) {
  const list = element("div", "passages");
  if (!data.passages.length) return list;
  list.append(element("h3", "", "The nearest passages"));
  for (const passage of data.passages) {
    const each = list.appendChild(element("div", "passage"));
    const label = `Open ${passage.place} in the reader`;
    each.append(button("place", passage.place, `passage-${passage.rank}`, label, () => send("open", passage.rank)));
    each.append(element("p", "quote", passage.text));
  }
  return list;
}

function drawFoot(data, send, unfolded) {
  const foot = element("div", "foot");
  const row = foot.appendChild(element("div", "row"));
  const status = row.appendChild(element("span", data.busy ? "status busy" : "status", data.status));
  status.setAttribute("role", "status");
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

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".turn");
  if (!root) {
    root = element("section", "turn");
    parentElement.appendChild(root);
  }
  const send = (name, value) => setTriggerValue("event", { name, value });
  const opened = new Set([...root.querySelectorAll(".why")].map((node) => node.dataset.sentence));
  const unfolded = root.querySelector(".legend") !== null;
  const focused = root.getRootNode().activeElement?.dataset?.name;
  root.setAttribute("aria-busy", String(data.busy));
  root.setAttribute("aria-label", data.question);
  root.replaceChildren(element("h2", "question", data.question));
  if (data.narrowed) root.append(element("p", "narrowed", data.narrowed));
  root.append(drawBody(data, send, opened));
  if (data.notice) {
    const notice = root.appendChild(element("div", `notice ${data.outcome}`, data.notice));
    notice.setAttribute("role", data.outcome === "failed" ? "alert" : "note");
  }
  root.append(drawPassages(data, send), drawFoot(data, send, unfolded));
  if (focused) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}
