// Shows a page's own text with one span marked, brought into view. Text nodes only.
export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".excerpt");
  if (!root) {
    root = document.createElement("div");
    parentElement.appendChild(root);
  }
  root.className = `excerpt${data.boxed ? " boxed" : ""}${data.tall ? " tall" : ""}`;
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", data.label);
  if (data.tall) root.tabIndex = 0;
  const mark = document.createElement("mark");
  mark.textContent = data.marked;
  root.replaceChildren(document.createTextNode(data.before));
  if (data.marked) root.append(mark);
  root.append(document.createTextNode(data.after));
  if (data.tall && data.marked) root.scrollTop = Math.max(0, mark.offsetTop - root.offsetTop - 120);
}
