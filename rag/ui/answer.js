// Draws an answer: sentences, verdict marks, citation chips. Everything that comes from documents or
// a model enters as text nodes, never as markup.
const MARKS = { supported: "✓", partly: "partly supported", unsupported: "not supported", uncited: "no line cited" };
const SAID = {
  supported: "The words of this sentence stand in the cited lines.",
  partly: "Only part of this sentence stands in the cited lines.",
  unsupported: "The cited lines do not say this.",
  uncited: "This sentence cites no line.",
};

const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".answer");
  if (!root) {
    root = element("div", "answer");
    parentElement.appendChild(root);
  }
  const opened = new Set([...root.querySelectorAll(".why")].map((node) => node.dataset.sentence));
  const focused = root.getRootNode().activeElement?.dataset?.name;
  root.replaceChildren();
  root.setAttribute("aria-busy", String(Boolean(data.busy)));
  let paragraph = null;
  data.sentences.forEach((sentence, index) => {
    if (!paragraph || sentence.starts_paragraph) {
      paragraph = root.appendChild(element("p", data.quotes ? "quote" : ""));
    }
    const chosen = sentence.citations.includes(data.selected);
    paragraph.append(element("span", `sentence ${sentence.verdict}${chosen ? " chosen" : ""}`, sentence.text));
    for (const number of sentence.citations) {
      const chip = element("button", "chip", String(number));
      chip.type = "button";
      chip.dataset.name = `chip-${index}-${number}`;
      chip.title = data.places[number] ?? "";
      chip.setAttribute("aria-label", `Show line ${number}: ${data.places[number] ?? ""}`);
      chip.setAttribute("aria-pressed", String(number === data.selected));
      chip.onclick = () => setTriggerValue("cite", number);
      paragraph.append(chip);
    }
    const mark = element("button", `mark ${sentence.verdict}`, MARKS[sentence.verdict]);
    mark.type = "button";
    mark.dataset.name = `mark-${index}`;
    mark.title = SAID[sentence.verdict];
    mark.setAttribute("aria-label", `Checked: ${SAID[sentence.verdict]} Press for the reasons.`);
    mark.setAttribute("aria-expanded", String(opened.has(String(index))));
    const why = element("span", "why", [SAID[sentence.verdict], ...sentence.reasons].join(" "));
    why.dataset.sentence = String(index);
    mark.onclick = () => {
      if (why.isConnected) why.remove();
      else mark.after(why);
      mark.setAttribute("aria-expanded", String(why.isConnected));
    };
    paragraph.append(mark, " ");
    if (opened.has(String(index))) mark.after(why);
  });
  if (data.tail || data.busy) {
    paragraph ??= root.appendChild(element("p"));
    paragraph.append(element("span", "tail", data.tail));
    if (data.busy) paragraph.append(element("span", "caret"));
  }
  if (focused) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
}
