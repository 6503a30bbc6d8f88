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

  const MEMORY = "lab:typed";
  const memory = {   // what was typed and not yet in the address; survives a reload of this browser tab
    read: () => { try { return JSON.parse(sessionStorage.getItem(MEMORY)) || {}; } catch { return {}; } },
    write: (value) => { try { sessionStorage.setItem(MEMORY, JSON.stringify(value)); } catch { /* full */ } },
  };
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("[id^=field-]");
    if (!field || event.target.type === "password" || event.target.type === "file") return;
    if (!["TEXTAREA", "INPUT"].includes(event.target.tagName)) return;
    if (event.target.tagName === "INPUT" && !["text", "number", "range"].includes(event.target.type)) return;
    const slug = slugOf(field), name = field.id.slice(`field-${slug}-`.length);
    if (!slug || field.id !== `field-${slug}-${name}` || event.target.getAttribute("role") === "combobox") return;
    const typed = memory.read();
    typed[slug] = { ...(typed[slug] || {}), [name]: event.target.value };
    memory.write(typed);
  }, true);

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
      new MutationObserver(() => markChoice(slug, relay.querySelector(".lab-verdict")?.dataset.option))   // as long as its verdict stands
        .observe(relay, { childList: true, subtree: true, attributeFilter: ["data-option"] });
      const linked = params.get("tab") === slug;
      const start = {};
      if (linked) for (const [name, value] of params) start[name] = value;
      const typed = memory.read()[slug] || {};
      if (linked || Object.keys(typed).length) Object.assign(start, typed);
      if (linked && jobOf(params.get("job"))) store.set(`lab:job:${slug}`, params.get("job"));
      trigger("select", { link: true, params: start });
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
      const typed = memory.read();
      if (typed[slug]) {   // what the address carries now need not be remembered; a long text must
        for (const [name, value] of Object.entries(typed[slug]))
          if (String(all[name]) !== String(value) || name in link || `${name}.z` in link || String(value).length < 600) delete typed[slug][name];
        memory.write(typed);
      }
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

  const markChoice = (slug, option) => document.querySelectorAll(`[data-exhibit="${slug}"] [data-predicted]`)
    .forEach((button) => button.setAttribute("aria-pressed", button.dataset.predicted === option));

  // ---- one listener for everything that is a plain button
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button, [data-pick]");
    if (!button) return;
    const slug = slugOf(button);
    if (button.dataset.start) say(slug, { start: button.dataset.start, params: JSON.parse(button.dataset.params) });
    if (button.dataset.pick) say(slug, { params: JSON.parse(button.dataset.pick) });
    if (button.dataset.predicted !== undefined) {
      markChoice(slug, button.dataset.predicted);
      say(slug, { predicted: Number(button.dataset.predicted) });
    }
    if (button.dataset.goto) { navigate?.(button.dataset.goto); scrollTo({ top: 0 }); if (button.dataset.goto === "contents") history.replaceState(null, "", location.pathname); }
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
    }
    if (button.dataset.twin !== undefined) {
      const twin = button.closest("lab-twin");
      twin.querySelectorAll(":scope > [role=tabpanel]").forEach((panel, n) => { panel.hidden = n !== Number(button.dataset.twin); });
      twin.querySelectorAll("[data-twin]").forEach((b) => b.setAttribute("aria-selected", b === button));
      redraw();
    }
    if (button.dataset.act) await act(button, slug);
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
    const open = [...document.querySelectorAll("lab-tail")].find((tail) => tail.offsetParent !== null);
    const panel = open?.closest("[role=tabpanel][id^=tab-]");
    const target = {
      n: panel?.querySelector(".lab-next"), c: open?.querySelector("summary"), l: open?.querySelector("[data-act=copy_link]"),
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
      this.innerHTML = `<div class="lab-scroll"><canvas class="lab-map"></canvas></div><output aria-live="polite"></output>
        <div class="lab-scale"><span></span><canvas></canvas><span></span></div>
        <div class="lab-exports"><button type="button" data-save="png">PNG</button><button type="button" data-save="svg">SVG</button><button type="button" data-save="html">HTML</button></div>`;
      this.canvas = this.querySelector(".lab-map");
      this.canvas.addEventListener("mousemove", (event) => this.point(event));
      this.canvas.addEventListener("click", (event) => { this.point(event); this.choose(); });
      this.querySelector(".lab-exports").addEventListener("click", (event) => this.export(event.target.dataset.save));
      this.draw();
    }
    draw() {
      if (!this.canvas || !this.clientWidth) return;
      this.drawn = this.clientWidth;
      const { rows, columns, shape, low, high } = this.data, [height, width] = shape, ratio = devicePixelRatio || 1;
      const context = this.canvas.getContext("2d"), ink = css("--lab-ink"), faint = css("--lab-faint");
      const big = document.documentElement.classList.contains("lab-lecture");
      const font = `${big ? 16 : 13}px ${css("--lab-mono")}`;
      context.font = font;
      const widest = (labels) => Math.min(Math.max(...labels.map((label) => context.measureText(label).width), 0), 150);
      const left = rows.length ? widest(rows) + 26 : 22, top = columns.length ? widest(columns) + 26 : 22;
      // as wide as the place allows, but at most about a screen high; labels keep their rows apart
      const roomy = Math.min(Math.floor((this.clientWidth - left - 6) / width), Math.floor(620 / height), big ? 44 : 36);
      const labelled = rows.every((label) => label !== "") ? 15 : 4;
      const sized = Math.max(roomy, labelled);
      Object.assign(this, { left, top, cell: sized });
      const full = [left + width * sized + 2, top + height * sized + 2];
      this.canvas.width = full[0] * ratio; this.canvas.height = full[1] * ratio;
      this.canvas.style.width = `${full[0]}px`; this.canvas.style.height = `${full[1]}px`;
      context.scale(ratio, ratio);
      const cells = document.createElement("canvas");
      paint(cells, this.values, height, width, 0, this.data);
      context.imageSmoothingEnabled = false;
      context.drawImage(cells, left, top, width * sized, height * sized);
      context.font = font; context.textBaseline = "middle";
      const clip = (label) => { while (label.length > 1 && context.measureText(label).width > 150) label = label.slice(0, -1); return label; };
      context.textAlign = "right";
      rows.forEach((label, n) => { context.fillStyle = this.data.dim_rows.includes(n) ? faint : ink; context.fillText(clip(label), left - 5, top + (n + 0.5) * sized); });
      context.textAlign = "left";
      columns.forEach((label, n) => {
        context.save(); context.translate(left + (n + 0.5) * sized, top - 5); context.rotate(-Math.PI / 2);
        context.fillStyle = this.data.dim_columns.includes(n) ? faint : ink; context.fillText(clip(label), 0, 0); context.restore();
      });
      context.fillStyle = faint; context.textAlign = "left";
      context.fillText(`${this.data.column_name} →`, left, 8);
      context.save(); context.translate(8, top); context.rotate(-Math.PI / 2); context.textAlign = "right"; context.fillText(`← ${this.data.row_name}`, 0, 0); context.restore();
      context.strokeStyle = css("--lab-accent"); context.lineWidth = 2;
      const [row, column] = this.data.selected;
      if (row !== null && column !== null) context.strokeRect(left + column * sized, top + row * sized, sized, sized);
      else if (row !== null) context.strokeRect(left, top + row * sized, width * sized, sized);
      const bar = this.querySelector(".lab-scale canvas");
      paint(bar, Float32Array.from({ length: 64 }, (_, n) => low + (high - low) * n / 63), 1, 64, 0, this.data);
      const ends = this.querySelectorAll(".lab-scale span");
      ends[0].textContent = +low.toFixed(3); ends[1].textContent = +high.toFixed(3);
    }
    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left - this.left) / this.cell), row = Math.floor((event.clientY - box.top - this.top) / this.cell);
      if (row >= 0 && column >= 0 && row < this.data.shape[0] && column < this.data.shape[1]) this.tell(row, column);
    }
    tell(row, column) {
      this.at = [row, column];
      const value = this.values[row * this.data.shape[1] + column];
      const name = (labels, n) => labels[n] ?? n;
      this.querySelector("output").textContent = `${name(this.data.rows, row)} × ${name(this.data.columns, column)}: ${value.toFixed(4)}`;
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
    svg() {
      const { rows, columns, shape, title } = this.data, [height, width] = shape, size = 24;
      const text = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
      const cells = Array.from(this.values, (value, n) => {
        const [r, g, b] = colour(this.data.scale, (value - this.data.low) / (this.data.high - this.data.low || 1));
        const row = Math.floor(n / width), column = n % width;
        return `<rect x="${150 + column * size}" y="${150 + row * size}" width="${size}" height="${size}" fill="rgb(${r},${g},${b})"><title>${text(String(rows[row] ?? row))} × ${text(String(columns[column] ?? column))}: ${value.toFixed(4)}</title></rect>`;
      }).join("");
      const labels = rows.map((label, n) => `<text x="145" y="${150 + (n + 0.65) * size}" text-anchor="end">${text(label)}</text>`).join("")
        + columns.map((label, n) => `<text transform="translate(${150 + (n + 0.65) * size},145) rotate(-90)">${text(label)}</text>`).join("");
      return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${160 + width * size} ${160 + height * size}" font-size="13" font-family="sans-serif" fill="${css("--lab-ink")}"><title>${text(title)}</title>${cells}${labels}</svg>`;
    }
    export(kind) {
      if (kind === "png") this.canvas.toBlob((blob) => save(blob, "picture.png"));
      if (kind === "svg") save(new Blob([this.svg()], { type: "image/svg+xml" }), "picture.svg");
      if (kind === "html") {
        const numbers = this.closest("lab-twin")?.querySelector("table")?.outerHTML || "";
        save(new Blob([`<!doctype html><html lang="${language}"><meta charset="utf-8"><title>LLM入門ラボ</title><body>${this.svg()}${numbers}`], { type: "text/html" }), "picture.html");
      }
    }
  }

  class HeadGrid extends Living {
    intact() { return super.intact() && this.style.getPropertyValue("--heads") !== ""; }
    render() {
      this.data = JSON.parse(this.dataset.json);
      const { shape, captions, selected, layer, head } = this.data, [layers, heads] = shape;
      this.values = unpack(this.data.values);
      this.style.setProperty("--heads", heads);
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", this.data.title);
      this.replaceChildren();
      for (let l = 0; l < layers; l++) for (let h = 0; h < heads; h++) {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.pick = JSON.stringify({ layer: l + 1, head: h + 1 });
        button.setAttribute("aria-pressed", l === selected[0] && h === selected[1]);
        button.setAttribute("aria-label", `${layer} ${l + 1} ${head} ${h + 1} ${captions[l][h]}`);
        button.append(document.createElement("canvas"));
        const caption = document.createElement("small");
        caption.textContent = heads > 6 ? `${l + 1}-${h + 1}` : `${l + 1}-${h + 1} ${captions[l][h]}`;
        button.append(caption);
        this.append(button);
      }
      this.draw();
    }
    draw() {
      if (!this.data) return;
      const [, , rows, columns] = this.data.shape;
      this.querySelectorAll("canvas").forEach((canvas, n) => paint(canvas, this.values, rows, columns, n * rows * columns, this.data));
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
      this.innerHTML = '<div class="lab-job"><progress max="1"></progress><p role="status"></p><button type="button" class="lab-chip"></button></div><div class="lab-job-result"></div>';
      this.button = this.querySelector("button");
      this.button.textContent = this.words.cancel;
      this.button.addEventListener("click", () => fetch(`lab/jobs/${job}/cancel`, { method: "POST" }).catch(() => {}));
      if (!this.parentElement.matches("[data-job-slot]")) this.scrollIntoView({ block: "nearest" });   // just started
      this.wait = 400;
      this.poll(job);
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
        this.wait = 400;
      } catch { this.wait = Math.min(this.wait * 2, 8000); } finally { clearTimeout(timer); }
      if (job !== this.dataset.job) return;
      if (status) this.show(status); else this.tell(this.words.offline);
      if (!status || ["waiting", "running"].includes(status.state)) setTimeout(() => this.poll(job), this.wait);
    }
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
      bar.hidden = this.button.hidden = !open;
      const left = status.seconds_left === null ? "" : ` · ${this.words.left.replace("{seconds}", Math.ceil(status.seconds_left))}`;
      const place = status.position ? ` · ${this.words.position.replace("{position}", status.position)}` : "";
      const steps = open && status.steps ? ` ${status.steps}` : "";
      this.tell(`${status.words}${steps}${place}${left}`);
      if (status.html !== undefined && status.html !== this.drawn) {   // a picture that grows while the job runs
        this.drawn = status.html;
        this.querySelector(".lab-job-result").innerHTML = status.html;
      }
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

  customElements.define("lab-tail", Tail);
  customElements.define("lab-heatmap", HeatMap);
  customElements.define("lab-headgrid", HeadGrid);
  customElements.define("lab-job", Job);
})();
