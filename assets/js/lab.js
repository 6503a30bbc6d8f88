// The page's own script: language and theme before Gradio starts, links and memory of what was typed, pictures on a
// canvas, and jobs that are followed over a connection which comes and goes. It talks to this server only.
"use strict";
(() => {
  const params = new URLSearchParams(location.search);
  const store = {
    get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
    set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private mode */ } },
    drop: (key) => { try { localStorage.removeItem(key); } catch { /* private mode */ } },
  };

  // ---- language: link, then the visitor's choice, then the browser's, then Japanese; Gradio reads navigator.language
  const spoken = (tag) => ["ja", "en"].find((code) => (tag || "").toLowerCase().startsWith(code));
  const language = spoken(params.get("lang")) || spoken(store.get("lab:language"))
    || (navigator.languages || []).map(spoken).find(Boolean) || "ja";
  document.documentElement.lang = language;
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
  const crossSite = location.protocol === "https:" ? "; SameSite=None; Secure; Partitioned" : "; SameSite=Lax";
  document.cookie = `lab-language=${language}; path=/; max-age=34560000${crossSite}`;

  // ---- theme and lecture mode
  const wanted = params.get("__theme") || store.get("lab:theme");
  const dark = wanted ? wanted === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const applyTheme = (on) => { document.body.classList.toggle("dark", on); redraw(); };
  document.addEventListener("DOMContentLoaded", () => {
    applyTheme(dark);
    document.documentElement.classList.toggle("lab-lecture", store.get("lab:lecture") === "1");
    // Gradio sets its own idea of the theme once it has started.
    new MutationObserver(() => redraw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    if (wanted) setTimeout(() => applyTheme(dark), 500);
  });

  // ---- exhibits: each registers its way to the server; links and memory flow through it
  const relays = new Map();      // slug -> trigger
  const links = new Map();       // slug -> link parameters of what is drawn
  const drawers = new Map();     // slug -> is the code drawer open
  let navigate = null;

  const jobOf = (id) => (/^[0-9a-f]{32}$/.test(id || "") ? id : null);   // a link may name a job, never another address
  const slugOf = (node) => node.closest("[role=tabpanel][id^=tab-]")?.id.slice("tab-".length);   // an exhibit's panel
  const say = (slug, message) => relays.get(slug)?.("select", message);

  const brought = new Map();     // slug -> fields that a button of another exhibit opens it with
  const bring = (slug, fields) => { if (relays.has(slug)) say(slug, { params: fields }); else brought.set(slug, fields); };

  const MEMORY = "lab:typed";
  const memory = {   // what was typed and is not in the address; survives a reload of this browser tab
    read: () => { try { return JSON.parse(sessionStorage.getItem(MEMORY)) || {}; } catch { return {}; } },
    write: (value) => { try { sessionStorage.setItem(MEMORY, JSON.stringify(value)); } catch { /* full */ } },
  };
  const BESIDE = "@";   // no field's name: the link beside which something was typed; to another link it does not belong
  const SHELL = ["tab", "lang", "job"];
  const carried = (search) => [...new URLSearchParams(search)].filter(([name]) => !SHELL.includes(name) && !name.startsWith("__"))
    .map((entry) => entry.join("=")).sort().join("&");
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("[id^=field-]");
    if (!field || event.target.type === "password" || event.target.type === "file") return;
    if (!["TEXTAREA", "INPUT"].includes(event.target.tagName)) return;
    if (event.target.tagName === "INPUT" && !["text", "number", "range"].includes(event.target.type)) return;
    const slug = slugOf(field), name = field.id.slice(`field-${slug}-`.length);
    if (!slug || field.id !== `field-${slug}-${name}` || event.target.getAttribute("role") === "combobox") return;
    const typed = memory.read();
    typed[slug] = { ...(typed[slug] || {}), [name]: event.target.value, [BESIDE]: carried(location.search) };
    memory.write(typed);
  }, true);

  // What the address carries need not be remembered. What it does not carry must, and so must what was typed while this
  // drawing was on its way: as long as it stands in its field, which Gradio fills a moment later when a chip was chosen.
  const settle = (slug, link, all, left, atOnce) => {
    const { [slug]: typed = {}, ...others } = memory.read();
    const kept = Object.fromEntries(left.map((name) => [name, all[name]]));
    for (const [name, value] of Object.entries(typed)) {
      if (name === BESIDE || String(all[name]) === String(value)) continue;
      if (atOnce || document.querySelector(`#field-${slug}-${name} :is(textarea, input)`)?.value === value) kept[name] = value;
    }
    memory.write(Object.keys(kept).length ? { ...others, [slug]: { ...kept, [BESIDE]: carried(link) } } : others);
  };

  // Gradio's text box tells of input on a key press alone; what an input method, a paste or the delete key writes has none.
  const tellGradio = (event) => {
    const box = event.target.closest?.("[id^=field-] textarea, [id^=field-] input[type=text]:not([role=combobox])");
    if (box && !event.isComposing) box.dispatchEvent(new KeyboardEvent("keypress", { key: "Unidentified" }));
  };
  document.addEventListener("input", tellGradio);
  document.addEventListener("compositionend", tellGradio);

  const writeAddress = (slug, link) => {
    const next = new URLSearchParams();
    for (const kept of ["lang", "__theme"]) if (params.get(kept)) next.set(kept, params.get(kept));
    next.set("tab", slug);
    for (const [name, value] of Object.entries(link || {})) next.set(name, value);
    const job = store.get(`lab:job:${slug}`);
    if (job) next.set("job", job);
    history.replaceState(null, "", `${location.pathname}?${next}`);
  };
  const addressOf = (slug, link) => {
    const next = new URLSearchParams({ tab: slug, ...link });
    return `${location.origin}${location.pathname}?${next}`;
  };

  window.lab = {
    register(element, trigger) {
      const relay = element.closest("[id^=relay-]"), slug = relay.id.slice("relay-".length);
      relays.set(slug, trigger);
      new MutationObserver(() => markChoice(slug, relay.querySelector(".lab-verdict")?.dataset || {}))   // as long as its verdict stands
        .observe(relay, { childList: true, subtree: true, attributeFilter: ["data-option", "data-question"] });
      const linked = params.get("tab") === slug;
      const start = {};
      if (linked) for (const [name, value] of params) start[name] = value;
      const { [BESIDE]: beside, ...kept } = memory.read()[slug] || {};
      const typed = { ...(linked && beside !== carried(params) ? {} : kept), ...brought.get(slug) };
      brought.delete(slug);
      if (linked && jobOf(params.get("job"))) store.set(`lab:job:${slug}`, params.get("job"));
      trigger("select", { link: true, params: start, typed });
      setTimeout(() => resumeJobs(slug), 0);
      watchVisibility();
    },
    door(element, trigger) {   // an exhibit is fetched when its tab is first opened; the one a link names came with the page
      const slug = element.closest("[id^=door-]").id.slice("door-".length);
      const here = window.gradio_config.components.some((component) => component.props.elem_id === `relay-${slug}`);
      if (!here && !relays.has(slug)) trigger("select", {});
    },
    navigator(trigger) { navigate = (tab) => trigger("select", { tab }); },
  };

  // ---- the address bar follows the exhibit in view
  const visible = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const slug = entry.target.dataset.exhibit;
      if (entry.isIntersecting && links.has(slug)) writeAddress(slug, links.get(slug));
    }
  });
  const watchVisibility = () => document.querySelectorAll("[data-exhibit]").forEach((head) => visible.observe(head));

  // Gradio patches its HTML in place: an element stays while its attributes change and what it had put inside itself is
  // taken away. So it looks after itself, and draws again when either has happened.
  class Living extends HTMLElement {
    connectedCallback() {
      this.renew();
      this.watch ||= new MutationObserver(() => this.renew());
      this.watch.observe(this, { attributes: true, childList: true });
    }
    disconnectedCallback() { this.watch?.disconnect(); }
    renew() {
      const told = JSON.stringify(this.dataset);
      if (told === this.told && this.intact()) return;
      this.told = told;
      this.render();
    }
    intact() { return this.childElementCount > 0 && this.hasAttribute("role"); }
  }

  class Tail extends Living {   // what is drawn now: its link, its code
    intact() { return this.querySelector("details") === this.drawer; }
    render() {
      const slug = this.dataset.slug, link = JSON.parse(this.dataset.link), all = JSON.parse(this.dataset.params);
      links.set(slug, link);
      const left = JSON.parse(this.dataset.left);
      settle(slug, link, all, left, true);
      setTimeout(() => { if (links.get(slug) === link) settle(slug, link, all, left, false); }, 500);
      if (this.offsetParent !== null) writeAddress(slug, link);
      const drawer = this.querySelector("details");
      drawer.open = drawers.get(slug) || false;
      if (drawer !== this.drawer) drawer.addEventListener("toggle", () => drawers.set(slug, drawer.open));
      this.drawer = drawer;
      tickSteps(slug, all);
    }
  }
  const tickSteps = (slug, all) => {
    const head = document.querySelector(`[data-exhibit="${slug}"]`);
    head?.querySelectorAll("[data-done]").forEach((step) => {
      const wantedValues = Object.entries(JSON.parse(step.dataset.done));
      if (wantedValues.every(([name, value]) => JSON.stringify(all[name]) === JSON.stringify(value))) step.classList.add("lab-ticked");
    });
  };

  const questionOf = (button) => button.closest("[data-question]").dataset.question;
  const markChoice = (slug, { question, option }) => document.querySelectorAll(`[data-exhibit="${slug}"] [data-predicted]`)
    .forEach((button) => button.setAttribute("aria-pressed", questionOf(button) === question && button.dataset.predicted === option));
  const askAnother = (slug) => {   // the next question takes the place of this one, and the verdict on it goes
    const questions = [...document.querySelectorAll(`[data-exhibit="${slug}"] [data-question]`)];
    const next = questions[(questions.findIndex((question) => !question.hidden) + 1) % questions.length];
    questions.forEach((question) => { question.hidden = question !== next; });
    markChoice(slug, {});
    document.querySelector(`#relay-${slug} .lab-verdict`)?.classList.add("lab-past");
    next.querySelector("button").focus({ preventScroll: true });
    next.closest(".lab-predict").scrollIntoView({ block: "nearest" });
  };

  // ---- one listener for everything that is a plain button
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button, [data-pick]");
    if (!button) return;
    const slug = slugOf(button);
    if (button.dataset.start) say(slug, { start: button.dataset.start, params: JSON.parse(button.dataset.params) });
    if (button.dataset.pick) say(slug, { params: JSON.parse(button.dataset.pick) });
    if (button.dataset.predicted !== undefined) {
      const question = questionOf(button), option = button.dataset.predicted;
      markChoice(slug, { question, option });
      say(slug, { question: Number(question), predicted: Number(option) });
    }
    if (button.dataset.another !== undefined) askAnother(slug);
    if (button.dataset.goto) { if (button.dataset.with) bring(button.dataset.goto, JSON.parse(button.dataset.with)); navigate?.(button.dataset.goto); scrollTo({ top: 0 }); if (button.dataset.goto === "contents") history.replaceState(null, "", location.pathname); }
    if (button.dataset.language) {
      store.set("lab:language", button.dataset.language);
      const next = new URLSearchParams(location.search);
      next.delete("lang");
      location.search = next.toString();
      if (!next.toString()) location.reload();
    }
    if (button.dataset.toggle === "dark") {
      const on = !document.body.classList.contains("dark");
      store.set("lab:theme", on ? "dark" : "light");
      applyTheme(on);
    }
    if (button.dataset.toggle === "lecture") {
      const on = document.documentElement.classList.toggle("lab-lecture");
      store.set("lab:lecture", on ? "1" : "0");
      dispatchEvent(new Event("resize"));   // rows of tabs are measured again, and pictures drawn with larger letters
    }
    if (button.dataset.twin !== undefined) {
      const twin = button.closest("lab-twin");
      twin.querySelectorAll(":scope > [role=tabpanel]").forEach((panel, n) => { panel.hidden = n !== Number(button.dataset.twin); });
      twin.querySelectorAll("[data-twin]").forEach((b) => b.setAttribute("aria-selected", b === button));
      redraw();
    }
    if (button.dataset.save) await takeAway(button.closest("lab-twin"), button.dataset.save);
    if (button.dataset.act) await act(button, slug);
    if (button.dataset.post) await post(button);
  });

  const act = async (button, slug) => {
    const tail = button.closest("lab-tail");
    const flash = () => { button.classList.add("lab-flash"); setTimeout(() => button.classList.remove("lab-flash"), 1200); };
    switch (button.dataset.act) {
      case "copy_link": await copy(addressOf(slug, links.get(slug))); flash(); break;
      case "shortcuts": shortcuts(); break;
      case "qr": await showCode(button, tail, addressOf(slug, links.get(slug))); break;
      case "copy_code": await copy(tail.querySelector("code").textContent); flash(); break;
      case "download_py": case "download_ipynb": {
        const suffix = button.dataset.act.slice("download_".length);
        const reply = await fetch(`lab/export/${slug}.${suffix}`, {
          method: "POST", headers: { "Content-Type": "application/json" }, body: tail.dataset.params,
        });
        if (reply.ok) save(await reply.blob(), `${slug}.${suffix}`); else await explain(reply, tail);
        break;
      }
      case "erase": {
        await fetch("lab/erase", { method: "POST" });
        try { sessionStorage.clear(); for (const key of Object.keys(localStorage)) if (key.startsWith("lab:job")) store.drop(key); } catch { /* private mode */ }
        location.href = location.pathname;
      }
    }
  };
  // ---- keys: listed by "?", never while somebody writes
  const shortcuts = () => {
    const list = document.getElementById("lab-shortcuts");
    if (list?.open) list.close(); else list?.showModal();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], [role=combobox]")) return;
    if (event.key === "?") { event.preventDefault(); shortcuts(); return; }
    if (document.querySelector("dialog[open]")) return;
    if ([...document.querySelectorAll("lab-tags")].find((tags) => tags.firstElementChild?.offsetParent)?.press(event.key)) { event.preventDefault(); return; }
    const open = [...document.querySelectorAll("lab-tail")].find((tail) => tail.offsetParent !== null);
    const panel = open?.closest("[role=tabpanel][id^=tab-]");
    const target = {
      n: panel?.querySelector("[data-way=next]"), p: panel?.querySelector("[data-way=previous]"), c: open?.querySelector("summary"), l: open?.querySelector("[data-act=copy_link]"),
      d: document.querySelector("[data-toggle=dark]"), m: document.querySelector("[data-toggle=lecture]"),
    }[event.key];
    if (target) { event.preventDefault(); target.click(); }
  });

  const explain = async (reply, tail) => {   // why the server refused, where the code of the link would stand
    const figure = tail.querySelector(".lab-qr");
    figure.querySelector("img")?.remove();
    figure.hidden = false;
    figure.querySelector("figcaption").textContent = (await reply.json()).detail;
  };
  const showCode = async (button, tail, link) => {   // the link as a picture that a class points its phones at
    const figure = tail.querySelector(".lab-qr"), caption = figure.querySelector("figcaption");
    const show = figure.hidden;
    figure.hidden = !show;
    button.setAttribute("aria-expanded", show);
    if (!show) return;
    const reply = await fetch(`lab/qr.svg?lang=${language}&link=${encodeURIComponent(link)}`);
    if (!reply.ok) { await explain(reply, tail); return; }
    figure.querySelector("img")?.remove();
    figure.prepend(Object.assign(document.createElement("img"), { alt: figure.dataset.alt, src: URL.createObjectURL(await reply.blob()) }));
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    caption.textContent = local ? caption.dataset.local : "";
  };
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {   // not a secure context: a workshop over plain HTTP
      const box = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(box); box.select(); document.execCommand("copy"); box.remove();
    }
  };
  const save = (blob, name) => {
    const anchor = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
  };

  // ---- tokens that belong together light up together
  for (const [type, on] of [["mouseover", true], ["mouseout", false], ["focusin", true], ["focusout", false]])
    document.addEventListener(type, (event) => {
      const item = event.target.closest?.("[data-link]:not(lab-tail)");
      if (!item || !item.dataset.link) return;
      const root = item.closest(".lab-view") || item.closest(".lab-linked");
      for (const link of item.dataset.link.split(" "))   // a word names each of its tokens; a token names itself
        root?.querySelectorAll(`[data-link~="${CSS.escape(link)}"]`).forEach((other) => other.classList.toggle("lab-lit", on));
    });

  // ---- pictures on a canvas
  const RAMPS = {   // the same quantity has the same colours everywhere; light and dark start at the page's ground
    attention: [["#ffffff", "#c7d2fe", "#6366f1", "#312e81"], ["#0f172a", "#3730a3", "#818cf8", "#e0e7ff"]],
    probability: [["#ffffff", "#bae6fd", "#0284c7", "#0c4a6e"], ["#0f172a", "#075985", "#38bdf8", "#e0f2fe"]],
    similarity: [["#00204d", "#575d6d", "#a69d75", "#ffea46"], ["#00204d", "#575d6d", "#a69d75", "#ffea46"]],
    signed: [["#0b5fa5", "#8fc1e8", "#ffffff", "#f5b173", "#b45309"], ["#7cc4ff", "#1d5f99", "#0f172a", "#a35a12", "#ffb366"]],
    loss: [["#ffffff", "#fecaca", "#dc2626", "#7f1d1d"], ["#0f172a", "#7f1d1d", "#f87171", "#fee2e2"]],
  };
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const colour = (scale, share) => {
    const stops = RAMPS[scale][document.body.classList.contains("dark") ? 1 : 0];
    const at = Math.min(Math.max(share || 0, 0), 1) * (stops.length - 1), left = Math.min(Math.floor(at), stops.length - 2);
    const [a, b] = [rgb(stops[left]), rgb(stops[left + 1])];
    return a.map((channel, n) => Math.round(channel + (b[n] - channel) * (at - left)));
  };
  const unpack = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Float32Array(bytes.buffer);
  };
  const css = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const redraw = () => document.querySelectorAll("lab-heatmap, lab-headgrid").forEach((picture) => picture.draw?.());
  addEventListener("resize", () => redraw());
  const paint = (canvas, values, rows, columns, from, data) => {   // one cell a pixel, scaled up by the style sheet
    canvas.width = columns; canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    for (let n = 0; n < rows * columns; n++) {
      const value = values[from + n], [r, g, b] = colour(data.scale, (value - data.low) / (data.high - data.low || 1));
      image.data.set([r, g, b, Number.isNaN(value) ? 0 : 255], n * 4);
    }
    context.putImageData(image, 0, 0);
  };

  const LEGEND = '<div class="lab-scale"><span></span><canvas></canvas><span></span></div>';
  const drawLegend = (picture) => {   // which colour is which number
    const { low, high } = picture.data, [first, last] = picture.querySelectorAll(".lab-scale span");
    paint(picture.querySelector(".lab-scale canvas"), Float32Array.from({ length: 64 }, (_, n) => low + (high - low) * n / 63), 1, 64, 0, picture.data);
    first.textContent = +low.toFixed(3); last.textContent = +high.toFixed(3);
  };

  class HeatMap extends Living {
    constructor() {
      super();
      this.addEventListener("keydown", (event) => this.key(event));
      new ResizeObserver(() => { if (this.clientWidth !== this.drawn) this.draw(); }).observe(this);
    }
    render() {
      this.data = JSON.parse(this.dataset.json);
      this.values = unpack(this.data.values);
      this.at = [this.data.selected[0] ?? 0, this.data.selected[1] ?? 0];
      this.setAttribute("role", "group");   // no "img": what is inside can have the focus
      this.setAttribute("aria-label", this.data.title);
      this.innerHTML = `<div class="lab-scroll"><canvas class="lab-map"></canvas></div><output aria-live="polite"></output>${LEGEND}`;
      this.canvas = this.querySelector(".lab-map");
      this.canvas.toSvg = () => this.vector();
      this.canvas.addEventListener("mousemove", (event) => this.point(event));
      this.canvas.addEventListener("click", (event) => { this.point(event); this.choose(); });
      this.draw();
    }
    arrange(pen) {   // where everything stands, in pixels: on the canvas, and in the picture that is taken away
      const { rows, columns, row_name, column_name, dim_rows, dim_columns, shape, selected } = this.data, [height, width] = shape;
      const big = document.documentElement.classList.contains("lab-lecture"), letter = big ? 18 : 13;
      const ink = css("--lab-ink"), faint = css("--lab-faint"), longest = 12 * letter;
      this.font = { size: letter, family: css("--lab-mono") };
      pen.font = `${letter}px ${this.font.family}`;
      const measure = (label) => pen.measureText(label).width;
      const clip = (label) => { let letters = [...label]; while (letters.length > 1 && measure(letters.join("")) > longest) letters = letters.slice(0, -1); return letters.join(""); };
      const widest = (labels) => Math.min(Math.max(...labels.map(measure), 0), longest);
      const left = rows.length ? widest(rows) + 2 * letter : 22, top = columns.length ? widest(columns) + 2 * letter : 22;
      // as wide as the place allows, but at most about a screen high; labels keep their rows apart
      const roomy = Math.min(Math.floor((this.clientWidth - left - 6) / width), Math.floor(620 / height), big ? 44 : 36);
      const cell = Math.max(roomy, rows.every((label) => label !== "") ? letter + 2 : 4);
      const across = `${column_name} →`, down = `← ${row_name}`, edge = 0.6 * letter;
      const label = (text, x, y, { angle = 0, anchor = "start", fill = ink } = {}) => ({ text, x, y, angle, anchor, fill });
      this.labels = [
        ...rows.map((name, n) => label(clip(name), left - 5, top + (n + 0.5) * cell, { anchor: "end", fill: dim_rows.includes(n) ? faint : ink })),
        ...columns.map((name, n) => label(clip(name), left + (n + 0.5) * cell, top - 5, { angle: -90, fill: dim_columns.includes(n) ? faint : ink })),
        label(across, left, edge, { fill: faint }), label(down, edge, top, { angle: -90, anchor: "end", fill: faint }),
      ];
      const [row, column] = selected;
      this.mark = row === null ? null : column === null ? [left, top + row * cell, width * cell, cell] : [left + column * cell, top + row * cell, cell, cell];
      Object.assign(this, { left, top, cell, width: left + Math.max(width * cell, measure(across)) + 2, height: top + Math.max(height * cell, measure(down)) + 2 });
    }
    draw() {
      if (!this.canvas || !this.clientWidth) return;
      this.drawn = this.clientWidth;
      const [height, width] = this.data.shape, ratio = devicePixelRatio || 1;
      const context = this.canvas.getContext("2d");
      this.arrange(context);
      this.canvas.width = this.width * ratio; this.canvas.height = this.height * ratio;
      this.canvas.style.width = `${this.width}px`; this.canvas.style.height = `${this.height}px`;
      context.scale(ratio, ratio);
      const cells = document.createElement("canvas");
      paint(cells, this.values, height, width, 0, this.data);
      context.imageSmoothingEnabled = false;
      context.drawImage(cells, this.left, this.top, width * this.cell, height * this.cell);
      context.font = `${this.font.size}px ${this.font.family}`; context.textBaseline = "middle";
      for (const { text, x, y, angle, anchor, fill } of this.labels) {
        context.save(); context.translate(x, y); context.rotate(angle * Math.PI / 180);
        context.textAlign = anchor; context.fillStyle = fill; context.fillText(text, 0, 0); context.restore();
      }
      context.strokeStyle = css("--lab-accent"); context.lineWidth = 2;
      if (this.mark) context.strokeRect(...this.mark);
      drawLegend(this);
    }
    vector() {
      const { shape: [, width], scale, low, high } = this.data, { left, top, cell, font } = this;
      const cells = Array.from(this.values, (value, n) => {
        if (Number.isNaN(value)) return "";
        const row = Math.floor(n / width), column = n % width, [r, g, b] = colour(scale, (value - low) / (high - low || 1));
        return `<rect x="${left + column * cell}" y="${top + row * cell}" width="${cell}" height="${cell}" fill="rgb(${r},${g},${b})"><title>${escaped(this.read(row, column))}</title></rect>`;
      }).join("");
      const labels = this.labels.map(({ text, x, y, angle, anchor, fill }) =>
        `<text transform="translate(${x},${y}) rotate(${angle})" dy="0.35em" text-anchor="${anchor}" fill="${fill}">${escaped(text)}</text>`).join("");
      const [x, y, w, h] = this.mark || [];
      const mark = this.mark ? `<rect x="${x}" y="${y}" width="${w}" height="${h}" fill="none" stroke="${css("--lab-accent")}" stroke-width="2"/>` : "";
      return `<g shape-rendering="crispEdges">${cells}</g><g font-size="${font.size}" font-family="${escaped(font.family)}">${labels}</g>${mark}`;
    }
    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - this.left) / this.cell), row = Math.floor((event.clientY - box.top - this.top) / this.cell);
      if (row >= 0 && column >= 0 && row < this.data.shape[0] && column < this.data.shape[1]) this.tell(row, column);
    }
    read(row, column) {
      const value = this.values[row * this.data.shape[1] + column], name = (labels, n) => labels[n] ?? n;
      return `${name(this.data.rows, row)} × ${name(this.data.columns, column)}: ${Number.isNaN(value) ? "–" : value.toFixed(4)}`;
    }
    tell(row, column) {
      this.at = [row, column];
      this.querySelector("output").textContent = this.read(row, column);
    }
    key(event) {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (move) {
        event.preventDefault();
        this.tell(...this.at.map((now, n) => Math.min(Math.max(now + move[n], 0), this.data.shape[n] - 1)));
      } else if (event.key === "Enter" && event.target === this) this.choose();
    }
    choose() {
      const picked = {};
      if (this.data.pick.row) picked[this.data.pick.row] = this.at[0];
      if (this.data.pick.column) picked[this.data.pick.column] = this.at[1];
      if (Object.keys(picked).length) say(slugOf(this), { params: picked });
    }
  }

  // ---- pictures to take away: what stands in a twin is drawn again as one SVG, box by box and line by line, at the
  // places where the browser has put them; the PNG and the page are made of that SVG
  const escaped = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
  const MARGIN = 16;
  const asSvg = (root, title) => {
    const parts = [], origin = root.getBoundingClientRect(), pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const graphemes = new Intl.Segmenter(language, { granularity: "grapheme" });
    const size = { width: 0, height: 0 };
    const place = (box, around = 0) => {
      const x = box.left - origin.left + MARGIN - around, y = box.top - origin.top + MARGIN - around;
      const width = box.width + 2 * around, height = box.height + 2 * around;
      size.width = Math.max(size.width, x + width); size.height = Math.max(size.height, y + height);
      return `x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${width.toFixed(2)}" height="${height.toFixed(2)}"`;
    };
    const mixed = new Map();
    const rgba = (paint) => {   // whatever notation the style sheet has: as bytes, which every viewer understands
      if (!mixed.has(paint)) {
        pen.clearRect(0, 0, 1, 1); pen.fillStyle = paint; pen.fillRect(0, 0, 1, 1);
        mixed.set(paint, pen.getImageData(0, 0, 1, 1).data);
      }
      return mixed.get(paint);
    };
    const tint = (name, paint) => { const [r, g, b, a] = rgba(paint); return `${name}="rgb(${r},${g},${b})" ${name}-opacity="${(a / 255).toFixed(3)}"`; };
    const stroke = (paint, width, style) => `fill="none" ${tint("stroke", paint)} stroke-width="${width}"${style === "solid" ? "" : ` stroke-dasharray="${style === "dotted" ? width : 3 * width}"`}`;
    const frame = (node, style) => {
      const box = node.getBoundingClientRect(), round = `rx="${parseFloat(style.borderTopLeftRadius) || 0}"`;
      if (!box.width || !box.height) return;
      if (rgba(style.backgroundColor)[3]) parts.push(`<rect ${place(box)} ${round} ${tint("fill", style.backgroundColor)}/>`);
      const width = (side) => (style[`border${side}Style`] === "none" ? 0 : parseFloat(style[`border${side}Width`]));
      const [up, down, start, end] = ["Top", "Bottom", "Left", "Right"].map(width);
      if (up && up === down && up === start && up === end && rgba(style.borderTopColor)[3])
        parts.push(`<rect ${place(box, -up / 2)} ${round} ${stroke(style.borderTopColor, up, style.borderTopStyle)}/>`);
      else {
        if (up) parts.push(`<rect ${place({ ...at(box), height: up })} ${tint("fill", style.borderTopColor)}/>`);
        if (start) parts.push(`<rect ${place({ ...at(box), width: start })} ${tint("fill", style.borderLeftColor)}/>`);
      }
      if (style.outlineStyle !== "none" && node !== document.activeElement)
        parts.push(`<rect ${place(box, parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth) / 2)} ${round} ${stroke(style.outlineColor, parseFloat(style.outlineWidth), "solid")}/>`);
    };
    const at = ({ left, top, width, height }) => ({ left, top, width, height });
    const write = (node) => {   // line by line, as the browser broke it, and as wide as there, whatever the fonts elsewhere
      const style = getComputedStyle(node.parentElement), range = document.createRange(), lines = [];
      for (const { segment, index } of graphemes.segment(node.data)) {
        range.setStart(node, index); range.setEnd(node, index + segment.length);
        const box = range.getClientRects()[0], line = lines.at(-1);
        if (!box?.width) continue;
        if (line && Math.abs(line.top - box.top) < 2) { line.text += segment; line.width = box.right - line.left; }
        else lines.push({ ...at(box), text: segment });
      }
      pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
      for (const line of lines.filter(({ text }) => text.trim())) {
        const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = pen.measureText(line.text);
        const [x, y] = [line.left - origin.left + MARGIN, line.top - origin.top + MARGIN + (line.height - above - below) / 2 + above];
        place(line);
        parts.push(`<text x="${x.toFixed(2)}" y="${y.toFixed(2)}" textLength="${line.width.toFixed(2)}" lengthAdjust="spacingAndGlyphs" xml:space="preserve" font-size="${parseFloat(style.fontSize)}" font-weight="${style.fontWeight}" font-family="${escaped(style.fontFamily)}" ${tint("fill", style.color)}>${escaped(line.text)}</text>`);
      }
    };
    const drawing = (svg) => {   // with what the style sheet gives it, at its place
      const copy = svg.cloneNode(true), box = svg.getBoundingClientRect(), all = (root) => [root, ...root.querySelectorAll("*")];
      const kept = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "vector-effect", "font-size", "font-family", "font-weight", "text-anchor"];
      const [shown, copied] = [all(svg), all(copy)];
      shown.forEach((one, n) => { const style = getComputedStyle(one); for (const name of kept) copied[n].setAttribute(name, style.getPropertyValue(name)); });
      place(box);
      for (const [name, value] of Object.entries({ x: box.left - origin.left + MARGIN, y: box.top - origin.top + MARGIN, width: box.width, height: box.height, overflow: "visible" })) copy.setAttribute(name, value);
      return new XMLSerializer().serializeToString(copy);
    };
    const walk = (node) => {
      if (node.nodeType === Node.TEXT_NODE) { if (node.data.trim()) write(node); return; }
      if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".lab-exports, [aria-live]")) return;
      const style = getComputedStyle(node);
      if (style.display === "none" || style.visibility === "hidden" || style.clipPath !== "none") return;
      if (node instanceof SVGSVGElement) { parts.push(drawing(node)); return; }
      if (node.tagName !== "CANVAS") frame(node, style);
      if (node.toSvg) {
        const box = node.getBoundingClientRect();
        place(box);
        parts.push(`<g transform="translate(${box.left - origin.left + MARGIN},${box.top - origin.top + MARGIN})">${node.toSvg()}</g>`);
      } else if (node.tagName === "CANVAS") {   // a pixel for each cell; its frame lies on top
        parts.push(`<image ${place(node.getBoundingClientRect())} preserveAspectRatio="none" style="image-rendering:pixelated" href="${node.toDataURL()}"/>`);
        frame(node, style);
      }
      node.childNodes.forEach(walk);
    };
    const scrolled = [...root.querySelectorAll("*")].filter((node) => node.scrollLeft || node.scrollTop).map((node) => [node, node.scrollLeft, node.scrollTop]);
    scrolled.forEach(([node]) => node.scrollTo(0, 0));
    walk(root);
    scrolled.forEach(([node, left, top]) => node.scrollTo(left, top));
    const [width, height] = [size.width + MARGIN, size.height + MARGIN].map(Math.ceil);
    return { width, height, text: `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="${css("--lab-ground")}"/>${parts.join("")}</svg>` };
  };
  const asPng = async ({ text, width, height }) => {
    const image = Object.assign(new Image(), { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}` });
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });   // sharp on a slide
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve));
  };
  const asPage = ({ text }, title, numbers) => `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>body { margin: 24px; font: 16px/1.6 sans-serif; background: ${css("--lab-ground")}; color: ${css("--lab-ink")}; } svg { max-width: 100%; height: auto; } table { border-collapse: collapse; } th, td { border: 1px solid ${css("--lab-line")}; padding: 2px 8px; text-align: start; }</style>
<body><h1>${escaped(title)}</h1>${text}${numbers.outerHTML}`;
  const takeAway = async (twin, kind) => {
    const [picture, other] = twin.querySelectorAll(":scope > [role=tabpanel]"), numbers = other.querySelector("table");
    const title = numbers.caption.textContent, svg = asSvg(picture, title);
    const made = { svg: () => new Blob([svg.text], { type: "image/svg+xml" }), png: () => asPng(svg), html: () => new Blob([asPage(svg, title, numbers)], { type: "text/html" }) };
    save(await made[kind](), `${slugOf(twin)}.${kind}`);
  };

  class HeadGrid extends Living {
    intact() { return super.intact() && this.style.getPropertyValue("--heads") !== ""; }
    render() {
      this.data = JSON.parse(this.dataset.json);
      const { shape, captions, first, selected, layer, head } = this.data, [layers, heads] = shape;
      this.values = unpack(this.data.values);
      this.style.setProperty("--heads", heads);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", this.data.title);
      this.replaceChildren();
      for (let row = 0; row < layers; row++) for (let column = 0; column < heads; column++) {
        const button = document.createElement("button"), [l, h] = [first[0] + row, first[1] + column], told = captions[row][column];
        button.type = "button";
        button.dataset.pick = JSON.stringify({ layer: l + 1, head: h + 1 });
        button.setAttribute("aria-pressed", l === selected[0] && h === selected[1]);
        button.setAttribute("aria-label", `${layer} ${l + 1} ${head} ${h + 1} ${told}`);
        button.append(document.createElement("canvas"));
        const caption = document.createElement("small");
        caption.textContent = heads > 6 ? `${l + 1}-${h + 1}` : `${l + 1}-${h + 1} ${told}`;
        button.append(caption);
        this.append(button);
      }
      this.insertAdjacentHTML("beforeend", LEGEND);
      this.draw();
    }
    draw() {
      if (!this.data) return;
      const [, , rows, columns] = this.data.shape;
      this.querySelectorAll("button canvas").forEach((canvas, n) => paint(canvas, this.values, rows, columns, n * rows * columns, this.data));
      drawLegend(this);
    }
  }

  // ---- jobs: followed by our own requests, which a broken connection only delays
  const jobKey = (place) => `lab:job:${place}`, thenKey = (place) => `lab:job-then:${place}`;
  class Job extends HTMLElement {
    static observedAttributes = ["data-job"];
    connectedCallback() { if (!this.job) this.begin(); }
    attributeChangedCallback() { if (this.job) this.begin(); }   // Gradio makes the card of one job that of the next
    begin() {
      this.job = this.dataset.job;
      setTimeout(() => this.follow(this.dataset.job), 0);   // when all attributes are the new ones
    }
    follow(job) {
      const { slug, place, then } = this.dataset;
      this.words = JSON.parse(this.dataset.words || "null") || JSON.parse(store.get("lab:job-words") || "{}");
      store.set("lab:job-words", JSON.stringify(this.words));
      store.set(jobKey(place), job);
      if (then) store.set(thenKey(place), then);
      else if (links.has(slug)) writeAddress(slug, links.get(slug));
      this.drawn = undefined;
      this.innerHTML = '<div class="lab-job"><progress max="1"></progress><p role="status"></p><button type="button" class="lab-chip"></button></div><div class="lab-job-result"></div><div class="lab-job-details"></div>';
      this.button = this.querySelector("button");
      this.button.textContent = this.words.cancel;
      this.button.addEventListener("click", () => fetch(`lab/jobs/${job}/cancel`, { method: "POST" }).catch(() => {}));
      if (!this.parentElement.matches("[data-job-slot]")) this.scrollIntoView({ block: "nearest" });   // just started
      this.polls = 0;
      this.wait = this.pace();
      this.poll(job);
    }
    replace(html) {   // what was opened or switched to in the old picture is so in the new one
      const result = this.querySelector(".lab-job-result");
      const opened = [...result.querySelectorAll("details")].map((fold) => fold.open);
      const shown = [...result.querySelectorAll("lab-twin")].map((twin) => twin.querySelector("[data-twin][aria-selected=true]")?.dataset.twin);
      result.innerHTML = html;
      result.querySelectorAll("details").forEach((fold, n) => { fold.open = opened[n] ?? fold.open; });
      result.querySelectorAll("lab-twin").forEach((twin, n) => { if (shown[n] > 0) twin.querySelector(`[data-twin="${shown[n]}"]`)?.click(); });
    }
    async poll(job) {
      if (!this.isConnected || job !== this.dataset.job) return;
      const abort = new AbortController(), timer = setTimeout(() => abort.abort(), 5000);
      let status = null;
      try {
        const reply = await fetch(`lab/jobs/${job}?lang=${language}`, { signal: abort.signal, cache: "no-store" });
        if (reply.status === 404) { this.lost(); return; }
        if (reply.status === 401) { location.reload(); return; }   // the app has restarted: it asks for the password
        status = await reply.json();
        this.wait = this.pace();
      } catch { this.wait = Math.min(this.wait * 2, 8000); } finally { clearTimeout(timer); }
      if (job !== this.dataset.job) return;
      if (status) this.show(status); else this.tell(this.words.offline);
      if (!status || ["waiting", "running"].includes(status.state)) setTimeout(() => this.poll(job), this.wait);
    }
    pace() { return this.polls++ < 12 ? 150 : 400; }   // ms; what is soon done is soon seen
    forget() {
      store.drop(jobKey(this.dataset.place)); store.drop(thenKey(this.dataset.place));
    }
    lost() {
      this.tell(this.words.lost); this.button.hidden = true; this.querySelector("progress").hidden = true;
      this.forget();
    }
    tell(text) { this.querySelector("[role=status]").textContent = text; }
    show(status) {
      this.dataset.state = status.state;
      const open = ["waiting", "running"].includes(status.state), bar = this.querySelector("progress");
      if (status.total) bar.value = status.done / status.total; else bar.removeAttribute("value");
      bar.hidden = !open;
      this.button.hidden = !open || !status.own || status.stopping;
      const fill = (word, seconds) => ` · ${word.replace("{seconds}", Math.ceil(seconds)).replace("{minutes}", Math.ceil(seconds / 60))}`;
      const left = status.seconds_left === null ? "" : fill(status.seconds_left > 100 ? this.words.minutes : this.words.left, status.seconds_left);
      const wait = status.wait === null ? "" : fill(this.words.wait, status.wait);
      const place = status.position ? ` · ${this.words.position.replace("{position}", status.position)}${wait}` : "";
      const steps = open && status.steps ? ` ${status.steps}` : "";
      this.tell(`${status.words}${steps}${place}${left}`);
      if (status.html !== undefined && status.html !== this.drawn) {   // a picture that grows while the job runs
        this.drawn = status.html;
        this.replace(status.html);
      }
      if (!open) this.querySelector(".lab-job-details").innerHTML = status.details;
      if (!open && this.dataset.then) {   // it was done for the sake of a drawing
        this.forget();
        if (status.state === "done") { this.replaceChildren(); say(this.dataset.slug, { params: JSON.parse(this.dataset.then) }); }
        else this.querySelector(".lab-job-result").replaceChildren();   // it told of a drawing to come
      }
    }
  }
  const resumeJobs = (slug) => {
    for (const slot of document.querySelectorAll(`[data-job-slot="${slug}"], [data-job-slot="${slug}-fetch"]`)) {
      const place = slot.dataset.jobSlot, job = jobOf(store.get(jobKey(place))), then = store.get(thenKey(place));
      if (!job || slot.closest(".lab-view, .block")?.querySelector("lab-job")) continue;
      const card = document.createElement("lab-job");
      Object.assign(card.dataset, { job, slug, place }, then ? { then } : {});
      slot.append(card);
    }
  };

  // ---- what is the visitor's own, in a drawing that others may see too: fetched beside it
  class Own extends Living {
    intact() { return this.asking || this.childElementCount > 0; }
    async render() {
      const address = this.dataset.src;
      this.asking = true;
      try {
        const reply = await fetch(`${address}${address.includes("?") ? "&" : "?"}lang=${language}`, { cache: "no-store" });
        if (reply.ok && address === this.dataset.src) this.innerHTML = await reply.text();
      } catch { /* without a connection it stays as it is */ } finally { this.asking = false; }
    }
  }
  // ---- tags of rows: the visitor's own, beside rows that are everybody's; keys and buttons do the same
  const MOST_KEYS = 9;
  class Tags extends Living {
    intact() { return this.childElementCount > 0; }
    get rows() { return [...this.closest(".lab-view").querySelectorAll("tr[data-index]")]; }
    get row() { return this.rows.find((row) => row.dataset.index === this.at); }
    get params() { return JSON.parse(document.querySelector(`#tab-${slugOf(this)} lab-tail`).dataset.params); }
    connectedCallback() {
      super.connectedCallback();
      if (this.heard) return;
      this.heard = true;
      this.addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (button?.dataset.tag !== undefined) this.tag(button.dataset.tag);
        if (button?.dataset.does) this[button.dataset.does]();
      });
      this.addEventListener("keydown", (event) => {   // a new tag goes to the row at once
        if (event.key === "Escape" && !event.isComposing) this.arm(false);
        if (event.key !== "Enter" || event.isComposing || !event.target.value?.trim()) return;
        this.tag(event.target.value.trim());
        event.target.value = "";
      });
    }
    render() {   // when the rows below have come too
      clearTimeout(this.soon);
      this.soon = setTimeout(() => { if (this.isConnected) this.lay(); }, 0);
    }
    lay() {
      if (this.of !== this.dataset.source) Object.assign(this, { of: this.dataset.source, at: undefined, known: undefined, everything: false });   // other data, other rows
      const words = this.words = JSON.parse(this.dataset.words), rows = this.rows, total = Number(this.dataset.total).toLocaleString(language);
      const opened = rows.find((row) => row.classList.contains("lab-opened"))?.dataset.index;
      if (opened !== undefined) this.at = opened;
      else if (!this.row) this.at = (this.backwards ? rows.at(-1) : rows[0])?.dataset.index;
      this.backwards = false;
      const told = (name) => escaped(words[name].replace("{total}", total)), does = (name) => `<button type="button" class="lab-chip" data-does="${name}">${told(name)}</button>`;
      this.innerHTML = `<div class="lab-chips lab-tag-bar" role="group" aria-label="${told("title")}"><span>${told("title")}</span><span class="lab-tag-keys"></span><input class="lab-new-tag" maxlength="${this.dataset.longest}" placeholder="${told("new")}" aria-label="${told("new")}">${does("undo")}${does("redo")}<span class="lab-tags-told" role="status"></span></div>`
        + `<div class="lab-chips">${does("all")}${does("csv")}${does("bundle")}</div><p class="lab-note lab-tag-hint" role="status"></p>`;
      this.total = total;
      this.arm(this.everything);
      this.mark();
      this.ask({});
    }
    mark() {   // the row that keys work on
      for (const row of this.rows) {
        row.classList.toggle("lab-current", row === this.row);
        if (row === this.row) row.setAttribute("aria-current", "true"); else row.removeAttribute("aria-current");
      }
      this.draw();
    }
    draw() {   // what is known of the tags
      const starters = JSON.parse(this.dataset.starters), counts = new Map(this.known?.tags || []);
      this.names = [...starters, ...[...counts.keys()].filter((name) => !starters.includes(name))];
      const own = this.known?.marks[this.at] || [];
      this.querySelector(".lab-tag-keys").innerHTML = this.names.map((name, n) => `<button type="button" class="lab-chip" data-tag="${escaped(name)}" aria-pressed="${own.includes(name)}">${n < MOST_KEYS ? `<kbd>${n + 1}</kbd> ` : ""}${escaped(name)} <output>${counts.get(name) || 0}</output></button>`).join("");
      for (const row of this.rows) row.querySelector(".lab-row-tags").innerHTML = (this.known?.marks[row.dataset.index] || []).map((name) => `<span class="lab-tag">${escaped(name)}</span>`).join("");
      for (const name of ["undo", "redo"]) this.querySelector(`[data-does=${name}]`).disabled = !this.known?.[name];
    }
    ask(what, tell) {   // one after the other: the last answer knows of everything that was asked before
      const source = { ...(what.do === "everything" ? this.params : {}), source: this.dataset.source };
      this.line = (this.line || Promise.resolve()).then(() => this.change(source, what, tell)).catch(() => this.tell(this.words.offline, true));
    }
    async change(source, what, tell) {
      const rows = this.rows.map((row) => Number(row.dataset.index));
      const reply = await this.send("tags", { params: source, rows, ...what });
      if (!reply || source.source !== this.dataset.source) return;
      this.known = await reply.json();
      this.draw();
      if (tell) this.tell(tell(new Map(this.known.tags)));
    }
    async send(address, body) {
      const reply = await fetch(`lab/errors/${address}?lang=${language}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
      if (reply?.ok) return reply;
      this.tell(reply ? (await reply.json()).detail : this.words.offline, true);
      return null;
    }
    tell(text, refused = false) {
      const status = this.querySelector(".lab-tags-told");
      status.textContent = text;
      status.classList.toggle("lab-wrong", refused);
    }
    tag(name) {
      const fill = (word, values) => Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, value), this.words[word]);
      if (this.everything) {
        this.arm(false);
        this.ask({ do: "everything", tag: name }, (counts) => fill("everything", { tag: name, count: (counts.get(name) || 0).toLocaleString(language) }));
      } else if (this.row) {
        const row = Number(this.at);
        this.ask({ do: "toggle", tag: name, row }, () => fill(this.known.marks[row]?.includes(name) ? "given" : "taken", { tag: name, row }));
      }
    }
    undo() { this.ask({ do: "undo" }, () => this.words.undone); }
    redo() { this.ask({ do: "redo" }, () => ""); }
    all() { this.arm(!this.everything); }
    arm(everything) {   // whether the next tag goes to every row of the filter: the hint says so, and once it is given it is over
      this.everything = Boolean(everything);
      this.querySelector("[data-does=all]").setAttribute("aria-pressed", this.everything);
      const hint = this.querySelector(".lab-tag-hint");
      hint.textContent = this.words[this.everything ? "armed" : "keys"].replace("{total}", this.total);
      for (const part of [hint, this.querySelector(".lab-tag-bar")]) part.classList.toggle("lab-armed", this.everything);
    }
    async csv() {
      const reply = await this.send("rows.csv", { params: this.params });
      if (reply) save(await reply.blob(), "errors.csv");
    }
    bundle() { say(slugOf(this), { start: this.dataset.job, params: this.params }); }
    move(step) {
      const rows = this.rows, next = rows[rows.indexOf(this.row) + step], page = Number(this.dataset.page);
      if (next) {
        this.at = next.dataset.index;
        this.mark();
        next.scrollIntoView({ block: "nearest" });
        next.querySelector(".lab-row-text button").focus({ preventScroll: true });
        return;
      }
      const turn = [...this.closest(".lab-view").querySelectorAll(".lab-pager [data-pick]")].find((button) => Math.sign(JSON.parse(button.dataset.pick).page - page) === step);
      this.backwards = step < 0;
      turn?.click();
    }
    press(key) {   // whether it was one of ours
      const name = /^[1-9]$/.test(key) ? this.names?.[key - 1] : undefined;
      if (name !== undefined) this.tag(name);
      else if (key === "j" || key === "k") this.move(key === "j" ? 1 : -1);
      else if (key === "u" || key === "U") this[key === "u" ? "undo" : "redo"]();
      else if (key === "Escape" && this.everything) this.arm(false);
      else return false;
      return true;
    }
  }
  const post = async (button) => {
    if (button.dataset.confirm && !confirm(button.dataset.confirm)) return;
    const reply = await fetch(`${button.dataset.post}?lang=${language}`, { method: "POST" }).catch(() => null), own = button.closest("lab-own");
    await own?.render();
    if (reply && !reply.ok) own?.insertAdjacentHTML("afterbegin", `<div class="lab-error" role="alert">${escaped((await reply.json()).detail)}</div>`);
  };

  customElements.define("lab-tail", Tail);
  customElements.define("lab-heatmap", HeatMap);
  customElements.define("lab-headgrid", HeadGrid);
  customElements.define("lab-job", Job);
  customElements.define("lab-own", Own);
  customElements.define("lab-tags", Tags);
})();
