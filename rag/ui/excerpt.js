// Shows a page's own text with one span marked, brought into view. Text nodes only.
export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".excerpt");
  if (!root) {
    root = document.createElement("div");
    parentElement.appendChild(root);
  }
  const shown = JSON.stringify(data);
  if (root.shown === shown) return; // nothing new: a reader's scrolling stays where it is
  root.shown = shown;
  root.className = `excerpt ${data.form}`;
  root.setAttribute("role", "region");
  root.setAttribute("aria-label", data.label);
  root.tabIndex = data.form === "quote" ? -1 : 0;
  root.replaceChildren();
  if (data.title) {
    const title = root.appendChild(document.createElement("div"));
    title.className = "title";
    title.textContent = data.title;
  }
  const text = root.appendChild(document.createElement(data.form === "quote" ? "blockquote" : "div"));
  text.className = "text";
  text.append(document.createTextNode(data.before));
  if (data.marked) {
    const mark = document.createElement("mark");
    mark.textContent = data.marked;
    text.append(mark);
    requestAnimationFrame(() => {
      const above = mark.getBoundingClientRect().top - root.getBoundingClientRect().top;
      root.scrollTop = Math.max(0, root.scrollTop + above - root.clientHeight / 3);
    });
  }
  text.append(document.createTextNode(data.after));
  if (data.title && root.getBoundingClientRect().top > window.innerHeight - 120) {
    root.scrollIntoView({ block: "center" }); // on a narrow screen the panel stands below the answer
  }
}
