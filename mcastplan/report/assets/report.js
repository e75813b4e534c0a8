"use strict";
// Sorting, hover and zoom. Everything else on the page is there without this script.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Tables: a click sorts up, the next one down. Rows without a value stay last.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  for (const table of all("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const body = table.tBodies[0];
      const numbers = [...body.rows].some((row) => typeof value(row, column) === "number");
      body.append(...[...body.rows].sort((a, b) => {
        const [x, y] = [value(a, column), value(b, column)];
        if (numbers && typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
        const order = typeof x === "number" ? x - y : x.localeCompare(y);
        return up ? order : -order;
      }));
    }));
  }

  // One bubble for the page; its text is set as text, never as markup.
  const tip = document.getElementById("tip");
  const hide = () => { tip.hidden = true; };
  const show = (text, x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = x + 14 + width > innerWidth ? x - width - 10 : x + 14;
    tip.style.left = `${Math.max(4, Math.min(left, innerWidth - width - 4))}px`;
    tip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16}px`;
  };
  // Links are thin: look a few pixels around the pointer too.
  const around = [[0, 0], [3, 0], [-3, 0], [0, 3], [0, -3], [5, 5], [-5, 5], [5, -5], [-5, -5]];
  const under = (event) => {
    const inMap = event.target.closest(".map");
    for (const [dx, dy] of inMap ? around : around.slice(0, 1)) {
      const found = document.elementFromPoint(event.clientX + dx, event.clientY + dy)?.closest("[data-tip]");
      if (found) return found;
    }
    return null;
  };
  const hover = (event) => {
    if (event.target.closest?.(".chart")) return;
    const found = event.target.closest ? under(event) : null;
    if (found) show(found.dataset.tip, event.clientX, event.clientY);
    else hide();
  };
  addEventListener("pointermove", hover);
  addEventListener("pointerdown", hover);
  addEventListener("scroll", hide, { passive: true });
  document.addEventListener("pointerleave", hide);

  // Curves: how many replicas are ready under the pointer's time.
  const time = (s) => {
    if (s >= 3599.5) return `${Math.floor(Math.round(s / 60) / 60)} h ${Math.round(s / 60) % 60} min`;
    if (s >= 99.95) return `${Math.floor(Math.round(s) / 60)} min ${Math.round(s) % 60} s`;
    return s >= 1 || s === 0 ? `${Number(s.toPrecision(3))} s` : `${Number((s * 1000).toPrecision(3))} ms`;
  };
  for (const chart of all(".chart")) {
    const data = JSON.parse(chart.dataset.curves);
    const plot = chart.querySelector(".plot");
    const cross = chart.querySelector(".cross");
    const move = (event) => {
      const box = plot.getBoundingClientRect();
      const part = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      const at = data.log ? data.low * (data.high / data.low) ** part : data.low + part * (data.high - data.low);
      const lines = data.curves.map(([name, steps]) => {
        const done = steps.filter(([s]) => s <= at).at(-1);
        return `${name}: ${(done ? done[1] : 0).toLocaleString("en")} ready`;
      });
      cross.hidden = false;
      cross.style.left = `${100 * part}%`;
      show([`after ${time(at)}`, ...lines].join("\n"), event.clientX, event.clientY);
    };
    plot.addEventListener("pointermove", move);
    plot.addEventListener("pointerdown", move);
    plot.addEventListener("pointerleave", () => { cross.hidden = true; hide(); });
  }

  // Map: buttons, double click, pinch or Ctrl + wheel zoom; a drag moves it.
  for (const map of all(".map:not(.few)")) {
    const svg = map.querySelector("svg");
    const wide = Number(map.dataset.width);
    const high = Number(map.dataset.height);
    const labels = all(".labels span", map);
    let [x, y, zoom] = [0, 0, 1];
    const draw = () => {
      x = Math.max(0, Math.min(x, wide - wide / zoom));
      y = Math.max(0, Math.min(y, high - high / zoom));
      svg.setAttribute("viewBox", `${x} ${y} ${wide / zoom} ${high / zoom}`);
      map.classList.toggle("zoomed", zoom > 1);
      for (const label of labels) {
        label.style.left = `${(100 * zoom * (label.dataset.x - x)) / wide}%`;
        label.style.top = `${(100 * zoom * (label.dataset.y - y)) / high}%`;
      }
    };
    const by = (factor, part = [0.5, 0.5]) => {
      const next = Math.max(1, Math.min(24, zoom * factor));
      x += part[0] * (wide / zoom - wide / next);
      y += part[1] * (high / zoom - high / next);
      zoom = next;
      draw();
    };
    const part = (cx, cy) => {
      const box = svg.getBoundingClientRect();
      return [(cx - box.left) / box.width, (cy - box.top) / box.height];
    };
    const bar = document.createElement("div");
    bar.className = "zoom";
    for (const [sign, name, act] of [
      ["+", "zoom in", () => by(1.7)],
      ["\u2212", "zoom out", () => by(1 / 1.7)],
      ["\u2302", "whole map", () => by(1 / 24)],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.title = name;
      button.setAttribute("aria-label", name);
      button.addEventListener("click", act);
      bar.append(button);
    }
    map.append(bar);
    svg.addEventListener("dblclick", (event) => by(2, part(event.clientX, event.clientY)));
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      by(event.deltaY < 0 ? 1.25 : 0.8, part(event.clientX, event.clientY));
    }, { passive: false });
    const held = new Map();
    svg.addEventListener("pointerdown", (event) => held.set(event.pointerId, event));
    svg.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      const box = svg.getBoundingClientRect();
      if (held.size === 1) {
        x -= ((event.clientX - before.clientX) * wide) / zoom / box.width;
        y -= ((event.clientY - before.clientY) * high) / zoom / box.height;
        draw();
      } else {
        const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, e]) => e);
        const far = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY) || 1;
        by(far(event) / far(before), part((event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2));
      }
      held.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      svg.addEventListener(end, (event) => held.delete(event.pointerId));
    }
  }
})();
