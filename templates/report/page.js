
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const HEIGHT = 28, PRINTED = 1000, DRAWN = 60;
const VIEWS = { keys: "Keys", matrix: "Profiles and tenants", workflows: "Workflows", changes: "Changes" };
const SVG = "http://www.w3.org/2000/svg";

// Text of the reports becomes text nodes and attributes of a fixed name alone, never markup.
function node(name, attributes = {}, ...inside) {
  const made = "svg g rect text path title".split(" ").includes(name)
    ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// Nodes in columns by the longest way from a source, each column ordered by where its edges come from.
function graph(names, edges, self, title) {
  const column = new Map(names.map((name) => [name, 0]));
  for (let round = 0, moved = true; moved && round < names.length; round++) {
    moved = false;
    for (const [from, to] of edges)
      if (column.get(to) <= column.get(from)) { column.set(to, column.get(from) + 1); moved = true; }
  }
  const columns = [];
  for (const name of names) (columns[column.get(name)] ??= []).push(name);
  const place = new Map();
  columns.filter(Boolean).forEach((inside, x) => {
    const pull = (name) => {
      const before = edges.filter(([from, to]) => to === name && place.has(from)).map(([from]) => place.get(from)[1]);
      return before.length ? before.reduce((sum, y) => sum + y, 0) / before.length : 0;
    };
    const pulls = new Map(inside.map((name) => [name, pull(name)]));
    inside.sort((one, other) => pulls.get(one) - pulls.get(other));
    inside.forEach((name, y) => place.set(name, [x * 250, y * 36]));
  });
  const wide = Math.max(...[...place.values()].map(([x]) => x)) + 202;
  const high = Math.max(...[...place.values()].map(([, y]) => y)) + 30;
  const drawn = node("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img", "aria-label": title });
  for (const [from, to] of edges) {
    const [x, y] = place.get(from), [u, v] = place.get(to);
    drawn.append(node("path", { d: `M${x + 201} ${y + 14}C${x + 226} ${y + 14} ${u - 24} ${v + 14} ${u + 1} ${v + 14}m-7 -4l7 4l-7 4` }));
  }
  for (const [name, [x, y]] of place)
    drawn.append(node("g", { class: name === self ? "self" : "" }, node("title", {}, name),
      node("rect", { x: x + 1, y: y + 1, width: 200, height: 26, rx: 4 }),
      node("text", { x: x + 9, y: y + 18 }, short(name, 27))));
  return drawn;
}

let keys = {}, users = {}, found = [], chosen = 0;

function take(profile) {
  keys = data.profiles[profile].keys;
  users = {};
  for (const [key, each] of Object.entries(keys)) {
    each.text ??= `${key} ${each.provider} ${each.because} ${(each.lost ?? []).map((one) => one.provider).join(" ")}`.toLowerCase();
    for (const need of Object.keys(each.needs ?? {})) (users[need] ??= []).push(key);
  }
  at("workflows").replaceChildren(...flows(data.profiles[profile].workflows));
  filter();
}

function filter() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const before = found[chosen];
  found = Object.keys(keys).filter((key) => words.every((word) => keys[key].text.includes(word)));
  chosen = Math.max(0, found.indexOf(before));
  at("rows").style.height = `${found.length * HEIGHT}px`;
  at("count").textContent = `${found.length} of ${Object.keys(keys).length} keys`;
  choose(chosen);
}

// Of thousands of rows those alone exist that can be seen.
function draw() {
  const list = at("list"), first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 5);
  const last = Math.min(found.length, first + Math.ceil(list.clientHeight / HEIGHT) + 10);
  at("rows").replaceChildren(...found.slice(first, last).map((key, number) => {
    const index = first + number, row = node("div", { role: "option", id: `row-${index}`, class: "row",
      "aria-selected": index === chosen, "aria-posinset": index + 1, "aria-setsize": found.length }, key, "  ",
      node("span", { class: "provider" }, keys[key].provider), "  ", node("span", { class: "dim" }, keys[key].because));
    if (!number) row.style.marginTop = `${first * HEIGHT}px`;
    row.addEventListener("click", () => choose(index));
    return row;
  }));
}

function choose(index) {
  chosen = Math.max(0, Math.min(found.length - 1, index));
  const list = at("list"), top = chosen * HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
  draw();
  if (found.length) list.setAttribute("aria-activedescendant", `row-${chosen}`);
  else list.removeAttribute("aria-activedescendant");
  at("detail").replaceChildren(...(found.length ? detail(found[chosen]) : [node("p", {}, "No key has all these words.")]));
}

function facts(title, rows) {
  if (!rows.length) return [];
  const list = node("dl");
  for (const [name, ...texts] of rows)
    list.append(node("dt", {}, name), node("dd", {}, ...texts.filter(Boolean).flatMap((text, number) => (number
      ? [" ", node("span", { class: "dim" }, text)] : [text]))));
  return title ? [node("h3", {}, title), list] : [list];
}

function detail(key) {
  const each = keys[key], needs = Object.entries(each.needs ?? {}), needed = users[key] ?? [];
  return [node("h2", {}, key),
    ...facts("", [["served by", each.provider || "nothing"], ["because", each.because], ["rule", each.rule],
      ["decided at", each.at], ...(each.factory ? [["factory", each.factory]] : [])]),
    ...facts("Why not", (each.lost ?? []).flatMap((one) => [[one.provider, one.why],
      ...(one.wins_if ?? []).map((way) => ["", `would serve if ${way.join(" and ")}`])])),
    ...facts("Settings", each.settings ?? []),
    ...facts("Layers, outermost first", (each.layers ?? []).map((name) => [name])),
    ...facts("Tenants that differ", Object.entries(each.tenants ?? {})),
    ...facts("Needs", needs.map(([need, why]) => [need, `for ${why.join(", ")}`])),
    ...facts("Needed by", needed.slice(0, PRINTED).map((user) => [user])),
    ...(needs.length + needed.length ? [node("h3", {}, "Graph of needs"), around(key)] : [])];
}

// Whoever needs the key, and all that it needs, as far as a drawing can be read.
function around(key) {
  const above = (users[key] ?? []).slice(0, DRAWN / 2), below = new Set([key]), edges = above.map((user) => [user, key]);
  for (const name of below) {
    if (below.size > DRAWN / 2) break;
    for (const need of Object.keys(keys[name]?.needs ?? {})) { below.add(need); edges.push([name, need]); }
  }
  return graph([...new Set([...above, ...below])], edges, key, `What needs ${key}, and what it needs`);
}

function flows(workflows) {
  return Object.entries(workflows).flatMap(([name, nodes]) => [node("h2", {}, name),
    graph(Object.keys(nodes), Object.entries(nodes).flatMap(([to, { after }]) => after.map((from) => [from, to])), "", `Workflow ${name}`),
    ...facts("", Object.entries(nodes).map(([each, { call }]) => [each, `calls ${call}`]))]);
}

function table(head, rows) {
  const left = rows.length - PRINTED;
  return [node("table", {}, node("thead", {}, node("tr", {}, ...head.map((text) => node("th", { scope: "col" }, text)))),
    node("tbody", {}, ...rows.slice(0, PRINTED).map((row) => node("tr", {}, ...row.map((text) => node("td", {}, text)))))),
    ...(left > 0 ? [node("p", { class: "left-out" }, `${left} more are left out.`)] : [])];
}

function matrix({ profiles, keys: rows }) {
  const cells = (served) => profiles.map((profile) => served[profile] ?? "-");
  const lines = Object.entries(rows).flatMap(([key, each]) => [[key, ...cells(each.profiles)],
    ...Object.entries(each.tenants).map(([tenant, served]) => [`${key} of ${tenant}`, ...cells(served)])]);
  return lines.length ? table(["Key", ...profiles], lines)
    : [node("p", {}, "Every key is served by the same provider in every profile and for every tenant.")];
}

function changes({ profiles }) {
  return Object.entries(profiles).flatMap(([profile, all]) => [node("h2", {}, `${profile}: ${all.length} changes`),
    ...(all.length ? table(["Class", "Key", "What", "Before", "After", "Because"], all.map((each) => [each.class,
      (each.key ?? "inputs") + (each.tenant ? ` of ${each.tenant}` : ""), each.what, each.how === "added" ? "" : shown(each.old),
      each.how === "removed" ? "" : shown(each.new), each.because])) : [])]);
}

function show(view) {
  for (const each of Object.keys(VIEWS)) at(each).hidden = each !== view;
  for (const button of at("views").children)
    if (button.dataset.view === view) button.setAttribute("aria-current", "page"); else button.removeAttribute("aria-current");
  draw();
}

at("title").textContent = document.title = `${data.app}: report`;
at("matrix").append(...matrix(data.matrix));
if (data.diff) at("changes").append(...changes(data.diff));
for (const [view, title] of Object.entries(VIEWS).filter(([each]) => each !== "changes" || data.diff)) {
  const button = node("button", { type: "button", "data-view": view }, title);
  button.addEventListener("click", () => show(view));
  at("views").append(button);
}
at("profile").append(...Object.keys(data.profiles).map((name) => node("option", { value: name }, name)));
at("profile").addEventListener("change", () => take(at("profile").value));
at("search").addEventListener("input", filter);
at("list").addEventListener("scroll", draw);
addEventListener("resize", draw);
addEventListener("keydown", (event) => {
  const field = /^(INPUT|SELECT)$/.test(document.activeElement?.tagName);
  const page = Math.max(1, Math.floor(at("list").clientHeight / HEIGHT) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -found.length, End: found.length };
  if (event.key === "/" && !field) { event.preventDefault(); at("search").focus(); }
  else if (event.key === "Escape" && document.activeElement === at("search")) { at("search").value = ""; filter(); at("list").focus(); }
  else if (event.key === "Enter" && document.activeElement === at("search")) { show("keys"); at("list").focus(); }
  else if (event.key in steps && document.activeElement === at("list")) { event.preventDefault(); choose(chosen + steps[event.key]); }
});
addEventListener("beforeprint", () => {
  at("print").hidden = at("keys").hidden;
  at("print").replaceChildren(...table(["Key", "Served by", "Because"], found.map((key) => [key, keys[key].provider, keys[key].because])));
});
addEventListener("afterprint", () => { at("print").hidden = true; at("print").replaceChildren(); });
take(Object.keys(data.profiles)[0]);
show("keys");
