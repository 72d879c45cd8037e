"use strict";
(() => {
  // Every text of the report goes into the page as text, never as markup.
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const SEVERITIES = ["critical", "high", "medium", "low", "none"];
  const WORDS = { critical: "Critical", high: "High", medium: "Medium", low: "Low", none: "No risk" };
  const EVERYBODY = "Group/system:authenticated";
  const MASTERS = "Group/system:masters";
  const CONDITIONS = {
    session: "Only if the session is named so, which whoever assumes the role may choose.",
    pattern: "Only if the caller's ARN, key or instance is named so.",
  };
  // Who may do everything has all other risks too: naming them would hide what matters.
  const ALL_OF_IT = ["masters", "cluster-admin"];
  const BESIDES = [...ALL_OF_IT, "chosen-name"];
  const AT_ONCE = 50;
  // The rights of thousands fill thousands of sheets, and keep the browser busy for minutes.
  const ON_PAPER = 250;
  const number = new Intl.NumberFormat("en");

  // Control and formatting characters would let a name pass for another.
  const shown = (text) =>
    text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (key in element) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }
  // Isolated, so that a name in another script does not turn what stands beside it around.
  const name = (text) => make("bdi", {}, shown(text));
  const mono = (text) => make("bdi", { className: "mono" }, shown(text));

  const risks = new Map(data.risks.map((risk) => [risk.id, risk]));
  const severityOf = (graded) => {
    const found = Object.values(graded);
    return SEVERITIES.find((severity) => found.includes(severity)) ?? "none";
  };
  function headlines(graded) {
    const entries = Object.entries(graded);
    const everything = ALL_OF_IT.some((id) => graded[id] === "critical");
    return everything ? entries.filter(([id]) => BESIDES.includes(id)) : entries;
  }
  const badge = (severity, text = WORDS[severity]) =>
    make(
      "span",
      { className: `badge ${severity}` },
      make("span", { className: "bars", "aria-hidden": "true" }, ...[1, 2, 3, 4].map(() => make("i"))),
      text,
    );
  const chip = (id, severity) =>
    make(
      "span",
      { className: `chip ${severity}` },
      risks.get(id).title,
      make("span", { className: "hidden" }, ` (${severity})`),
    );

  // What principals with the same standing share is worked out once.
  for (const standing of data.standings) {
    standing.severity = severityOf(standing.risks);
    standing.words = Object.keys(standing.risks).map((id) => risks.get(id).title).join(" ");
    standing.namespaces = new Set();
    for (const subject of Object.keys(standing.subjects)) {
      if (subject === EVERYBODY) continue;
      if (subject === MASTERS) standing.namespaces.add("");
      for (const binding of data.subjects[subject].bindings) {
        standing.namespaces.add(data.bindings[binding].namespace);
      }
    }
  }
  const principals = data.principals.map((principal) => {
    const standing = data.standings[principal.standing];
    const words = [principal.arn, principal.principal, principal.kind, principal.username, ...principal.groups, standing.words];
    return { ...principal, standing, text: words.join("\n").toLowerCase(), open: false };
  });

  // RBAC's own rules: authenticator/access/rules.py has them with their source.
  function allows(rule, wanted) {
    const has = (key, ...values) => (rule[key] ?? []).some((own) => own === "*" || values.includes(own));
    if (!has("verbs", wanted.verb)) return false;
    if (wanted.path) {
      return (rule.nonResourceURLs ?? []).some(
        (own) => own === wanted.path || (own.endsWith("*") && wanted.path.startsWith(own.replace(/\*+$/, ""))),
      );
    }
    const full = wanted.sub ? [`${wanted.resource}/${wanted.sub}`, `*/${wanted.sub}`] : [wanted.resource];
    return has("apiGroups", wanted.group) && has("resources", ...full) && !rule.resourceNames;
  }
  const known = (resource) => (Object.hasOwn(data.groups, resource) ? data.groups[resource] : undefined);
  const plural = (resource) => (Object.hasOwn(data.plurals, resource) ? data.plurals[resource] : resource);
  function request(verb, text) {
    if (text.startsWith("/")) return { verb, path: text, wide: true };
    const [full, sub = ""] = text.toLowerCase().split("/", 2);
    const dot = full.indexOf(".");
    const resource = dot < 0 ? plural(full) : full.slice(0, dot);
    const group = dot < 0 ? (resource === "*" ? "*" : known(resource)) : full.slice(dot + 1);
    if (group === undefined) return null;
    const wide = data.wide.includes(`${resource}.${group}`) && verb !== "bind";
    return { verb, resource, group, sub, wide };
  }
  function granting(wanted, namespace) {
    const found = new Set();
    for (const [key, binding] of Object.entries(data.bindings)) {
      const local = binding.namespace !== "";
      if (local && (wanted.wide || (namespace && binding.namespace !== namespace))) continue;
      if ((data.roles[binding.role] ?? []).some((rule) => allows(rule, wanted))) found.add(key);
    }
    return new Set(
      data.standings.filter((standing) =>
        Object.keys(standing.subjects).some(
          (subject) => subject === MASTERS || data.subjects[subject].bindings.some((key) => found.has(key)),
        ),
      ),
    );
  }

  // --- the rows -------------------------------------------------------------------------------
  function split(principal) {
    const arn = /^arn:([^:]*):[^:]*:[^:]*:([^:]*):([^/]*)\/?(.*)$/.exec(principal.arn);
    if (!arn || !principal.principal.startsWith("arn:")) return { title: principal.principal, under: principal.kind };
    const [, partition, account, , rest] = arn;
    const elsewhere = partition === "aws" ? "" : ` (${partition})`;
    return { title: rest || principal.kind, under: `${principal.kind} in ${account}${elsewhere}` };
  }
  function cell(label, className, ...children) {
    return make("td", { role: "cell", "data-label": label, className }, ...children);
  }
  let made = 0;
  function row(principal) {
    const id = `rights-${(made += 1)}`;
    const { title, under } = split(principal);
    const button = make(
      "button",
      { type: "button", className: "name", "aria-expanded": String(principal.open), "aria-controls": id },
      name(title),
    );
    const entries = headlines(principal.standing.risks);
    const can = entries.slice(0, 4).map(([risk, severity]) => chip(risk, severity));
    if (entries.length > 4) can.push(make("span", { className: "chip more" }, `and ${entries.length - 4} more`));
    if (!can.length) can.push(make("span", { className: "chip more" }, "Nothing risky"));
    const line = make(
      "tr",
      { role: "row", className: "principal" },
      make("td", { role: "cell" }, badge(principal.standing.severity)),
      make("th", { scope: "row", role: "rowheader" }, button, make("div", { className: "under" }, under)),
      cell(
        "Becomes",
        "becomes",
        mono(principal.username),
        ...principal.groups.map((group) => make("span", { className: "chip" }, name(group))),
      ),
      cell("Can", "", ...can),
    );
    const rights = make("tr", { role: "row", className: "rights", id, hidden: true });
    const open = (wanted) => {
      principal.open = wanted;
      button.setAttribute("aria-expanded", String(wanted));
      line.classList.toggle("open", wanted);
      if (wanted && !rights.firstChild) {
        rights.append(make("td", { role: "cell", colSpan: 4 }, ...details(principal)));
      }
      rights.hidden = !wanted;
    };
    button.addEventListener("click", () => open(!principal.open));
    open(principal.open);
    return { parts: [line, rights], button, open };
  }
  function details(principal) {
    const facts = [
      [principal.kind === "account" ? "Account" : "ARN", mono(principal.arn)],
      ["Kubernetes username", mono(principal.username)],
      ["Mapped by", name(principal.source)],
    ];
    if (principal.userid) facts.push(["Only with the unique id", mono(principal.userid)]);
    for (const condition of ["proof", "organization", "organizationalUnit"]) {
      if (principal[condition]) facts.push([`Only with this ${condition}`, mono(principal[condition])]);
    }
    for (const [tag, value] of Object.entries(principal.principalTags || {})) {
      facts.push(["Only with the tag", mono(`${tag}=${value}`)]);
    }
    if (principal.expires) facts.push(["Until", principal.expires]);
    const parts = [
      make("dl", { className: "facts" }, ...facts.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value)))),
    ];
    const entries = headlines(principal.standing.risks);
    if (entries.length) {
      parts.push(make("section", {}, make("h3", {}, "Risks"), make("ul", { className: "risk-list" }, ...entries.map(riskLine))));
    }
    const subjects = Object.entries(principal.standing.subjects);
    parts.push(
      make(
        "section",
        {},
        make("h3", {}, "Rights"),
        ...(subjects.length ? subjects.map(([key, how]) => subject(key, how)) : ["None: no binding names this user or its groups."]),
      ),
    );
    return parts;
  }
  function riskLine([id, severity]) {
    const { title, why } = risks.get(id);
    return make("li", {}, badge(severity), make("div", {}, make("strong", {}, title), make("p", {}, why)));
  }
  function subject(key, how) {
    const slash = key.indexOf("/");
    const part = make(
      "div",
      { className: "subject" },
      make("h4", {}, `${key.slice(0, slash) === "User" ? "As the user" : "As a member of"} `, name(key.slice(slash + 1))),
    );
    if (CONDITIONS[how]) part.append(make("p", {}, CONDITIONS[how]));
    if (key === MASTERS) part.append(make("p", {}, "Everything, whatever RBAC says."));
    part.append(...data.subjects[key].bindings.map(grant));
    return part;
  }
  function grant(key) {
    const binding = data.bindings[key];
    const rules = data.roles[binding.role];
    return make(
      "div",
      { className: "grant" },
      make("p", {}, make("span", { className: "place" }, binding.namespace ? "In namespace " : "Everywhere", binding.namespace ? name(binding.namespace) : "")),
      make("p", { className: "via" }, name(key), ", which grants ", name(binding.role)),
      ...(rules ? rules.map(rule) : ["The role does not exist: whoever makes it decides what is granted."]),
    );
  }
  function rule(given) {
    const words = (values, all) => (values ?? []).map((value) => (value === "*" ? all : value)).join(", ");
    const groups = given.apiGroups ?? [];
    const core = groups.length === 1 && groups[0] === "";
    const of = core ? "" : ` of ${words(groups.map((group) => group || "core"), "any group")}`;
    const named = given.resourceNames ? `, only ${given.resourceNames.join(", ")}` : "";
    const what = given.resources
      ? `${words(given.resources, "any resource")}${of}${named}`
      : `path ${words(given.nonResourceURLs, "*")}`;
    return make(
      "div",
      { className: "rule" },
      make("span", { className: "verbs mono" }, shown(words(given.verbs, "any verb"))),
      mono(what),
    );
  }

  // --- filters --------------------------------------------------------------------------------
  const rows = byId("rows");
  const more = byId("more");
  const field = (id) => byId(id).value;
  let severity = "";
  let matching = principals;
  let drawn = [];

  function filtered() {
    const words = field("search").toLowerCase().split(/\s+/).filter(Boolean);
    const [risk, group, namespace, kind] = ["risk", "group", "namespace", "kind"].map(field);
    const [verb, resource] = [field("verb").trim().toLowerCase(), field("resource").trim()];
    const wanted = verb && resource ? request(verb, resource) : undefined;
    byId("can-problem").textContent =
      wanted === null ? "This resource is not known: write it in the plural, with its group (widgets.example.com)." : "";
    // The question is about the namespace, if there is one; else that is a filter of its own.
    const able = wanted && granting(wanted, namespace);
    const has = (own, one) => own.has(one) || own.has("");
    const fits = new Set(
      data.standings.filter(
        (standing) =>
          (!severity || standing.severity === severity) &&
          (!risk || risk in standing.risks) &&
          (able ? able.has(standing) : !namespace || has(standing.namespaces, namespace)),
      ),
    );
    return principals.filter(
      (principal) =>
        fits.has(principal.standing) &&
        (!kind || principal.kind === kind) &&
        (!group || principal.groups.includes(group)) &&
        words.every((word) => principal.text.includes(word)),
    );
  }
  function draw(upTo) {
    const fresh = matching.slice(drawn.length, upTo).map(row);
    drawn.push(...fresh);
    rows.append(...fresh.flatMap((one) => one.parts));
    const left = matching.length - drawn.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${number.format(Math.min(left, AT_ONCE))} more of ${number.format(left)}`;
    return fresh;
  }
  function update() {
    matching = filtered();
    drawn = [];
    rows.replaceChildren();
    draw(AT_ONCE);
    byId("results").hidden = !matching.length;
    byId("nobody").hidden = Boolean(matching.length);
    byId("count").textContent =
      matching.length === principals.length
        ? `All ${number.format(principals.length)}`
        : `${number.format(matching.length)} of ${number.format(principals.length)}`;
  }

  // --- what does not change -------------------------------------------------------------------
  function countBy(keys) {
    const counts = new Map();
    for (const principal of principals) {
      for (const key of keys(principal)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }
  function options(id, entries) {
    byId(id).append(...entries.map(([value, text]) => make("option", { value }, shown(text))));
  }
  const alphabetic = (counts) =>
    [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, count]) => [key, `${key} (${number.format(count)})`]);

  function tiles() {
    const counts = countBy((principal) => [principal.standing.severity]);
    for (const one of SEVERITIES) {
      const button = make(
        "button",
        { type: "button", "aria-pressed": "false" },
        make("span", { className: "number" }, number.format(counts.get(one) ?? 0)),
        badge(one),
      );
      button.addEventListener("click", () => {
        severity = severity === one ? "" : one;
        press();
        update();
      });
      byId("severities").append(make("li", {}, button));
    }
  }
  function press() {
    [...byId("severities").children].forEach((item, place) => {
      item.firstChild.setAttribute("aria-pressed", String(SEVERITIES[place] === severity));
    });
  }
  function fill() {
    document.title = `Who can do what: ${shown(data.cluster)}`;
    const about = [
      ["Cluster", name(data.cluster)],
      ["Read", make("time", { dateTime: data.generated }, data.generated.replace("T", " ").replace("Z", " UTC"))],
      ["Principals", number.format(principals.length)],
    ];
    byId("paper").textContent =
      `Rights are printed for at most ${ON_PAPER} principals at a time: filter them before printing.`;
    byId("about").append(...about.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))));
    byId("notes").append(...data.notes.map((note) => make("li", {}, shown(note))));
    byId("limits").hidden = !data.notes.length;
    const found = countBy((principal) => Object.keys(principal.standing.risks));
    const present = data.risks.filter((risk) => found.has(risk.id));
    options("risk", present.map((risk) => [risk.id, `${risk.title} (${number.format(found.get(risk.id))})`]));
    options("group", alphabetic(countBy((principal) => new Set(principal.groups))));
    options("kind", alphabetic(countBy((principal) => [principal.kind])));
    const namespaces = new Set(Object.values(data.bindings).map((binding) => binding.namespace));
    options("namespace", [...namespaces].filter(Boolean).sort().map((each) => [each, each]));
    const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
    byId("verbs").append(...verbs.map((value) => make("option", { value })));
    const full = Object.entries(data.groups).map(([each, of]) => (of ? `${each}.${of}` : each));
    byId("resources").append(...full.sort().map((value) => make("option", { value })));
    byId("glossary").append(
      ...present.map((risk) => make("div", {}, make("dt", {}, risk.title), make("dd", {}, risk.why))),
    );
  }

  tiles();
  fill();
  update();
  byId("filters").addEventListener("input", update);
  // Some tools that choose for their users tell of a choice by this event only.
  for (const select of document.querySelectorAll("select")) select.addEventListener("change", update);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => {
    severity = "";
    press();
    setTimeout(update); // after the fields have been emptied
  });
  more.addEventListener("click", () => draw(drawn.length + AT_ONCE)[0]?.button.focus());

  // On paper there is nothing to press: all that match, with their rights.
  let before = [];
  addEventListener("beforeprint", () => {
    before = [drawn.length, new Set(matching.filter((principal) => principal.open))];
    draw(matching.length);
    const few = matching.length <= ON_PAPER;
    if (few) drawn.forEach((one) => one.open(true));
    byId("paper").hidden = few;
    byId("limits").open = true;
  });
  addEventListener("afterprint", () => {
    const [length, opened] = before;
    byId("paper").hidden = true;
    matching.forEach((principal) => { principal.open = opened.has(principal); });
    drawn = [];
    rows.replaceChildren();
    draw(length);
  });
})();
