// The list of documents: one line each. Names and reasons come from outside and enter as text nodes.
const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

function drawState(row) {
  const state = element("span", `state ${row.state}`);
  state.append(element("span", "dot"), row.word);
  return state;
}

function drawActions(row, root, send, redraw) {
  const actions = element("span", "actions");
  const add = (text, name, press, className = "action") => {
    const made = actions.appendChild(element("button", className, text));
    made.type = "button";
    made.dataset.name = `${name}-${row.id}`;
    made.setAttribute("aria-label", `${text}: ${row.name}`);
    made.onclick = press;
    return made;
  };
  if (root.asking === row.id) {
    actions.append(element("span", "sure", "Delete it, with every version?"));
    add("Delete", "sure", () => { root.asking = null; send("delete", row.id); redraw(); }, "action danger");
    add("Keep", "keep", () => { root.asking = null; redraw(`delete-${row.id}`); });
    return actions;
  }
  if (row.can_cancel) add("Cancel", "cancel", () => send("cancel", row.id));
  if (row.can_retry) add("Try again", "retry", () => send("retry", row.id));
  if (row.can_open) add("Open", "open", () => send("open", row.id), "action main");
  add("Delete", "delete", () => { root.asking = row.id; redraw(`keep-${row.id}`); });
  return actions;
}

function drawRow(row, root, send, redraw) {
  const item = element("li", "document");
  item.dataset.document = row.name;
  const name = element("span", "name", row.name);
  name.title = row.name;
  item.append(name, element("span", "facts", row.facts), drawState(row), drawActions(row, root, send, redraw));
  if (row.note) item.append(element("p", `note ${row.state}`, row.note));
  if (row.progress !== null) {
    const bar = item.appendChild(element("progress"));
    if (row.progress >= 0) bar.value = row.progress;
    bar.setAttribute("aria-label", `${row.word}: ${row.name}`);
  }
  return item;
}

// A line that did not change is left as it stands: a button just being pressed must not be replaced.
function place(root, rows, send, redraw) {
  const drawn = new Map();
  rows.forEach((row, index) => {
    const signature = JSON.stringify([row, root.asking === row.id]);
    const known = root.drawn.get(row.id);
    const item = known?.signature === signature ? known.item : drawRow(row, root, send, redraw);
    drawn.set(row.id, { signature, item });
    if (root.children[index] !== item) root.insertBefore(item, root.children[index] ?? null);
  });
  while (root.children.length > rows.length) root.lastChild.remove();
  root.drawn = drawn;
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector("ul");
  if (!root) {
    root = parentElement.appendChild(element("ul"));
    Object.assign(root, { asking: null, drawn: new Map() });
  }
  root.send = (name, value) => setTriggerValue("event", { name, value });
  root.redraw = (focus) => {
    const active = root.getRootNode().activeElement;
    const focused = focus ?? active?.dataset?.name;
    place(root, data.rows, (name, value) => root.send(name, value), (name) => root.redraw(name));
    const lost = focused && root.getRootNode().activeElement?.dataset?.name !== focused;
    if (lost) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  };
  root.redraw();
}
