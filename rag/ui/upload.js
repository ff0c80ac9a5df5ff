// Takes files in by drag and drop or by choosing, and streams each to this server, one after another.
// Nothing is held in memory; what the server says of each is shown in its own words. Names are text.
const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function send(file, data, progress) {
  return new Promise((resolve) => {
    const bad = (text) => resolve({ kind: "bad", text });
    if (file.size > data.limit) return bad(data.too_large);
    const call = new XMLHttpRequest();
    const address = new URLSearchParams({ workspace: data.workspace, name: file.path });
    call.open("PUT", `/files/upload?${address}`);
    call.upload.onprogress = (event) => progress(event.loaded);
    call.onload = () => {
      try {
        resolve(JSON.parse(call.responseText));
      } catch {
        bad("was not taken in: the server gave no proper answer. Try again.");
      }
    };
    call.onerror = () => bad("was not taken in: the server cannot be reached, or the file cannot be read. Try again.");
    call.send(file.blob);
  });
}

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const blob = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ blob, size: blob.size, path: path + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const each of some) await walk(each, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

function draw(root) {
  const { bar, status, news, queue } = root.parts;
  const { done, total, current, sent, size, said } = root.work;
  const busy = done < total;
  bar.hidden = !busy;
  bar.max = total || 1;
  bar.value = done + (size ? sent / size : 0);
  const good = said.filter((item) => item.kind === "good").length;
  status.textContent = busy
    ? `Taking in ${done + 1} of ${total}: ${current}`
    : good ? `${plural(good, "file")} taken in. Reading goes on by itself; you may leave this page.` : "";
  news.replaceChildren();
  for (const item of said.filter((each) => each.kind !== "good" || each.text)) {
    const line = news.appendChild(element("li", item.kind));
    line.append(element("b", "", item.name), " ", item.text);
  }
  if (news.children.length && !busy) {
    const hide = element("button", "hide", "Hide these messages");
    hide.type = "button";
    hide.onclick = () => { root.work.said = []; draw(root); };
    news.appendChild(element("li", "hiding")).append(hide);
  }
  root.setAttribute("aria-busy", String(busy));
  queue.hidden = !busy && !status.textContent && !news.children.length;
}

async function take(root, files) {
  const { work, data } = root;
  const first = work.done >= work.total;
  if (first) Object.assign(work, { done: 0, total: 0, waiting: [], said: [] });
  work.waiting.push(...files);
  work.total += files.length;
  if (!first || !files.length) return;
  let told = 0;
  const show = () => draw(work.root);
  const tell = () => work.root.isConnected && work.root.tell(work.done);
  while (work.waiting.length) {
    const file = work.waiting.shift();
    Object.assign(work, { current: file.path, sent: 0, size: file.size });
    show();
    const answer = await send(file, data, (sent) => { work.sent = sent; show(); });
    work.said.push({ name: file.path, kind: answer.kind, text: answer.text });
    Object.assign(work, { done: work.done + 1, sent: 0, size: 0 });
    show();
    if (Date.now() - told > 1500 && work.waiting.length) {
      tell();
      told = Date.now();
    }
  }
  tell();
}

// Work goes on while another page of ours is looked at, and is found again by its workspace.
function workOf(workspace) {
  if (!window.munimentUploads) {
    window.munimentUploads = new Map();
    window.addEventListener("beforeunload", (event) => {
      if ([...window.munimentUploads.values()].some((work) => work.done < work.total)) event.preventDefault();
    });
  }
  const works = window.munimentUploads;
  if (!works.has(workspace)) {
    works.set(workspace, { done: 0, total: 0, current: "", sent: 0, size: 0, waiting: [], said: [] });
  }
  return works.get(workspace);
}

function build(root) {
  const zone = root.appendChild(element("div", "zone"));
  const input = element("input");
  Object.assign(input, { type: "file", multiple: true, hidden: true });
  input.onchange = () => {
    take(root, [...input.files].map((blob) => ({ blob, size: blob.size, path: blob.name })));
    input.value = "";
  };
  const choose = element("button", "choose", "Choose files");
  choose.type = "button";
  choose.onclick = () => input.click();
  const words = element("div", "words");
  words.append(element("b", "into"), element("span", "hint"));
  zone.append(words, choose, input);
  let depth = 0;
  const over = (step) => { depth = Math.max(0, depth + step); zone.classList.toggle("over", depth > 0); };
  zone.ondragenter = (event) => { event.preventDefault(); over(1); };
  zone.ondragleave = () => over(-1);
  zone.ondragover = (event) => event.preventDefault();
  zone.ondrop = async (event) => {
    event.preventDefault();
    over(-depth);
    take(root, await filesOf(event.dataTransfer));
  };
  const queue = root.appendChild(element("div", "queue"));
  const status = queue.appendChild(element("p", "progress"));
  status.setAttribute("role", "status");
  const bar = queue.appendChild(element("progress"));
  bar.setAttribute("aria-label", "Files taken in");
  const news = queue.appendChild(element("ul"));
  root.parts = { bar, status, news, queue, words };
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".upload");
  if (!root) {
    root = parentElement.appendChild(element("div", "upload"));
    build(root);
  }
  root.data = data;
  root.work = workOf(data.workspace);
  root.work.root = root;
  root.tell = (count) => setTriggerValue("event", { name: "taken", value: count });
  // Said by name: a zone about to be replaced must not take a file for another workspace unnoticed.
  root.parts.words.querySelector(".into").textContent = `Drop files or folders into “${data.workspace}”`;
  root.parts.words.querySelector(".hint").textContent = data.hint;
  draw(root);
}
