// The conversations of a workspace: quiet lines, the open one marked. Titles enter as text nodes.
const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector("nav");
  if (!root) {
    root = parentElement.appendChild(element("nav"));
    root.setAttribute("aria-label", "Conversations");
    root.asking = null;
  }
  root.send = (name, value) => setTriggerValue("event", { name, value });
  const send = (name, value) => root.send(name, value);
  const press = (parent, className, text, name, label, act) => {
    const made = parent.appendChild(element("button", className, text));
    made.type = "button";
    made.dataset.name = name;
    if (label) made.setAttribute("aria-label", label);
    made.onclick = act;
    return made;
  };
  const line = (item) => {
    const row = element("div", item.id === data.current ? "row current" : "row");
    if (root.asking === item.id) {
      row.append(element("span", "sure", "Delete it?"));
      press(row, "small danger", "Delete", `sure-${item.id}`, `Delete: ${item.title}`, () => { root.asking = null; send("delete", item.id); });
      press(row, "small", "Keep", `keep-${item.id}`, "", () => { root.asking = null; redraw(`drop-${item.id}`); });
      return row;
    }
    const open = press(row, "open", item.title, `open-${item.id}`, "", () => send("open", item.id));
    open.title = item.title;
    if (item.id === data.current) open.setAttribute("aria-current", "true");
    const drop = press(row, "drop", "×", `drop-${item.id}`, `Delete the conversation: ${item.title}`, () => { root.asking = item.id; redraw(`keep-${item.id}`); });
    drop.title = "Delete this conversation";
    return row;
  };
  const redraw = (focus) => {
    const focused = focus ?? root.getRootNode().activeElement?.dataset?.name;
    root.replaceChildren();
    press(root, "new", "+  New conversation", "new", "New conversation", () => send("new", 0));
    if (data.items.length) root.append(element("h2", "", "Conversations"));
    for (const item of data.items) root.append(line(item));
    if (data.more) root.append(element("p", "", data.more));
    if (focused) root.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  };
  const shown = JSON.stringify(data);
  if (root.shown === shown) return;
  root.shown = shown;
  redraw();
}
