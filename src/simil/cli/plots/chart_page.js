"use strict";
// Draws the chart in #data. Texts only ever get into the page as text: textContent and fillText.
const data = JSON.parse(document.getElementById("data").textContent);
const chart = document.getElementById("chart");
const tip = document.getElementById("tip");
const dark = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const many = (count) => count.toLocaleString("en");

function add(parent, tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// Sizes a canvas in CSS pixels and returns its context; a screen's own pixels stay sharp.
function context(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = height + "px";
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return pen;
}

function showTip(event, text) {
  tip.style.display = text ? "block" : "none";
  if (!text) return;
  tip.textContent = text;
  const left = event.clientX + 14;
  const fits = left + tip.offsetWidth < innerWidth;
  tip.style.left = Math.max(fits ? left : event.clientX - 14 - tip.offsetWidth, 4) + "px";
  tip.style.top = clamp(event.clientY + 14, 4, Math.max(innerHeight - tip.offsetHeight - 4, 4)) + "px";
}

function hovers(element, textAt) {
  for (const name of ["pointermove", "pointerdown"]) {
    element.addEventListener(name, (event) => showTip(event, textAt(event.offsetX, event.offsetY)));
  }
  // A finger leaves when it is lifted: what it touched stays readable.
  element.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") showTip(event, ""); });
}

function heatColour(share) {
  const at = clamp(share, 0, 1) * (data.ramp.length - 1);
  const low = Math.floor(at);
  const [from, to] = [data.ramp[low], data.ramp[Math.min(low + 1, data.ramp.length - 1)]];
  return from.map((value, part) => Math.round(value + (to[part] - value) * (at - low)));
}

function cut(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  const letters = [...text];
  let low = 0;
  let high = letters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pen.measureText(letters.slice(0, middle).join("") + "…").width <= room) low = middle;
    else high = middle - 1;
  }
  return letters.slice(0, low).join("") + "…";
}

// Scores of outliers: the higher, the further from the background.
const scoreColour = (share) => heatColour(dark.matches ? 0.3 + 0.7 * share : 1 - share);

function addScale(low, high, title, colourAt) {
  const scale = add(chart, "div", "scale");
  add(scale, "span", "", title);
  add(scale, "span", "", low);
  const pen = context(add(scale, "canvas"), 180, 12);
  for (let x = 0; x < 180; x++) {
    pen.fillStyle = `rgb(${colourAt(x / 179)})`;
    pen.fillRect(x, 0, 1, 12);
  }
  add(scale, "span", "", high);
}

function heatMap() {
  const canvas = add(chart, "canvas", "heat");
  const count = data.cells.length;
  const share = (score) => {
    const along = (score - data.low) / (data.high - data.low);
    return data.reversed ? 1 - along : along;
  };
  let left, top, wide, high;

  function draw() {
    const width = chart.clientWidth;
    let pen = context(canvas, width, 10);
    const font = "12px system-ui, sans-serif";
    pen.font = font;
    const labels = data.names.map((name, row) => `${row * data.per_cell + 1}  ${name}`);
    const longest = labels.reduce((most, label) => Math.max(most, pen.measureText(label).width), 0);
    left = Math.ceil(Math.min(longest + 10, width * 0.36, 300));
    top = 20;
    wide = (width - left - 1) / count;
    // A name needs a line of its own, however narrow the window is.
    high = count <= data.most_named ? clamp(wide, 15, 48) : Math.max(wide, 900 / count);
    if (wide > high * 2.5) wide = high * 2.5;
    pen = context(canvas, width, Math.ceil(top + high * count + 2));
    pen.font = font;
    pen.textBaseline = "middle";
    const every = Math.ceil(15 / high);
    const across = Math.ceil((pen.measureText(String(count * data.per_cell)).width + 6) / wide);
    for (let row = 0; row < count; row++) {
      for (let column = 0; column < count; column++) {
        const score = data.cells[row][column];
        const [x, y] = [left + column * wide, top + row * high];
        const shade = score === null ? null : heatColour(share(score));
        pen.fillStyle = shade ? `rgb(${shade})` : colour("empty");
        pen.fillRect(x, y, wide + (count > 60 ? 0.6 : -0.5), high + (count > 60 ? 0.6 : -0.5));
        if (shade && count <= data.most_numbers && wide > 26) {
          pen.font = wide < 40 ? "10px system-ui, sans-serif" : font;
          pen.fillStyle = 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] > 128 ? "#000" : "#fff";
          pen.textAlign = "center";
          pen.fillText(score.toFixed(2), x + wide / 2, y + high / 2);
        }
      }
      pen.font = font;
      pen.fillStyle = colour("ink");
      pen.textAlign = "right";
      if (row % every === 0) pen.fillText(cut(pen, labels[row], left - 8), left - 5, top + (row + 0.5) * high);
      pen.textAlign = "center";
      pen.fillStyle = colour("faint");
      if (row % across === 0) pen.fillText(String(row * data.per_cell + 1), left + (row + 0.5) * wide, top / 2);
    }
  }

  hovers(canvas, (x, y) => {
    const [row, column] = [Math.floor((y - top) / high), Math.floor((x - left) / wide)];
    if (row < 0 || row >= count) return "";
    if (column < 0) return data.names[row];
    if (column >= count) return "";
    const score = data.cells[row][column];
    const shown = score !== null ? score.toFixed(4) : row === column ? "the same text" : "no score";
    return row === column ? `${shown}\n${data.names[row]}` : `${shown}\n${data.names[row]}\n${data.names[column]}`;
  });
  addScale(data.low.toFixed(2), data.high.toFixed(2), data.metric, (share) => heatColour(data.reversed ? 1 - share : share));
  return draw;
}

function mark(pen, group, x, y, size) {
  const [tint, shape] = data.marks[group] || [null, "dot"];
  pen.fillStyle = tint === null ? data.noise : (dark.matches ? data.dark_colours : data.colours)[tint];
  if (shape === "number") {
    pen.font = `bold ${size * 2}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(String(group + 1), x, y);
    return;
  }
  outline(pen, shape, x, y, size);
  pen.fill();
}

const OUTLINES = {
  square: [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]],
  up: [[0, -1.1], [1.05, 0.8], [-1.05, 0.8]],
  diamond: [[0, -1.2], [1.1, 0], [0, 1.2], [-1.1, 0]],
  down: [[0, 1.1], [1.05, -0.8], [-1.05, -0.8]],
  plus: [[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4],
    [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]],
  cross: [[0, -0.5], [0.6, -1.1], [1.1, -0.6], [0.5, 0], [1.1, 0.6], [0.6, 1.1],
    [0, 0.5], [-0.6, 1.1], [-1.1, 0.6], [-0.5, 0], [-1.1, -0.6], [-0.6, -1.1]],
};

function outline(pen, shape, x, y, size) {
  pen.beginPath();
  if (OUTLINES[shape]) {
    for (const [right, down] of OUTLINES[shape]) pen.lineTo(x + right * size, y + down * size);
    pen.closePath();
  } else {
    pen.arc(x, y, shape === "dot" ? size * 0.55 : size, 0, 7);
  }
}

// Places labels where they cover no point and no other label; a label without such a place is left out.
function placed(points, labels, width, height) {
  const cell = 4;
  const across = Math.ceil(width / cell);
  const taken = new Uint8Array(across * Math.ceil(height / cell));
  const each = (box, visit) => {
    for (let y = Math.floor(box[1] / cell); y <= box[3] / cell; y++) {
      for (let x = Math.floor(box[0] / cell); x <= box[2] / cell; x++) if (visit(y * across + x)) return true;
    }
    return false;
  };
  const inside = (box) => box[0] >= 0 && box[1] >= 0 && box[2] < width && box[3] < height;
  const take = (box) => inside(box) && each(box, (at) => { taken[at] = 1; });
  for (const [x, y, size] of points) take([x - size, y - size, x + size, y + size]);
  return labels.map((label) => {
    if (label.x < 0 || label.y < 0 || label.x > width || label.y > height) return null;
    for (let distance = 8; distance < 420; distance += 9) {
      for (let turn = 0; turn < 24; turn++) {
        const angle = (turn * Math.PI) / 12;
        const x = label.x + Math.cos(angle) * (distance + label.width / 2);
        const y = label.y + Math.sin(angle) * (distance + 8);
        const box = [x - label.width / 2 - 3, y - 9, x + label.width / 2 + 3, y + 9];
        if (!inside(box) || each(box, (at) => taken[at])) continue;
        take(box);
        return [x, y];
      }
    }
    return null;
  });
}

function scatterPlot() {
  const canvas = add(chart, "canvas", "map");
  const hidden = new Set();
  const count = data.x.length;
  const spread = data.scores ? data.score_ends[1] - data.score_ends[0] || 1 : 1;
  const relative = (row) => (data.scores[row] - data.score_ends[0]) / spread;
  const base = clamp(80 / Math.max(count, 1) ** 0.42, 2.2, 5.5);
  const size = (row) => (data.scores ? base * (0.7 + 1.5 * relative(row) ** 2) : base);
  const groupOf = (row) => (data.groups ? data.groups[row] : 0);
  // The first drawn are hidden by the last: noise and low scores first.
  const order = [...Array(count).keys()].sort((a, b) =>
    data.scores ? data.scores[a] - data.scores[b] : (groupOf(a) >= 0) - (groupOf(b) >= 0));
  let view = { x: 0, y: 0, zoom: 1 };
  let where = [];
  let dragged = null;

  function position(width, height) {
    const margin = 36;
    const scale = Math.min((width - 2 * margin) / (data.width || 1), (height - 2 * margin) / (data.height || 1));
    return (row) => [
      width / 2 + data.x[row] * scale * view.zoom + view.x,
      height / 2 - data.y[row] * scale * view.zoom + view.y,
    ];
  }

  function draw() {
    const width = canvas.clientWidth;
    const height = clamp(innerHeight - 170, 320, Math.max(480, width * 0.85));
    const pen = context(canvas, width, height);
    where = order.filter((row) => !hidden.has(groupOf(row)));
    const place = position(width, height);
    const points = where.map((row) => [...place(row), size(row), row]);
    where = points;
    pen.globalAlpha = 0.85;
    for (const [x, y, radius, row] of points) {
      if (data.scores) {
        pen.fillStyle = `rgb(${scoreColour(relative(row))})`;
        outline(pen, "round", x, y, radius);
        pen.fill();
      } else mark(pen, data.groups ? groupOf(row) : 0, x, y, radius);
    }
    pen.globalAlpha = 1;
    drawLabels(pen, points, place, width, height);
  }

  function drawLabels(pen, points, place, width, height) {
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = "600 12px system-ui, sans-serif";
    const rows = data.marked.map((row, number) => [row, number]).filter(([row]) => !hidden.has(groupOf(row)));
    const labels = rows.map(([row, number]) => {
      const [x, y] = place(row);
      // In a narrow window numbers stand for the names in the legend, which lies below.
      const crowded = data.groups && width < 600 && data.labels.length > 8;
      const text = crowded ? String(groupOf(row) + 1) : cut(pen, data.labels[number], width * 0.45);
      return { x, y, row, text, width: pen.measureText(text).width };
    });
    const spots = placed(points, labels, width, height);
    pen.strokeStyle = colour("faint");
    pen.lineWidth = 0.8;
    labels.forEach((label, number) => {
      if (!spots[number]) return;
      pen.beginPath();
      pen.moveTo(label.x, label.y);
      const [x, y] = spots[number];
      pen.lineTo(clamp(label.x, x - label.width / 2, x + label.width / 2), y + (label.y > y ? 7 : -7));
      pen.stroke();
    });
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 1.4;
    for (const label of labels) {
      const [, shape] = data.groups ? data.marks[groupOf(label.row)] || [] : [];
      outline(pen, shape, label.x, label.y, size(label.row) + 3);
      pen.stroke();
    }
    labels.forEach((label, number) => {
      if (!spots[number]) return;
      pen.lineWidth = 4;
      pen.strokeStyle = colour("ground");
      pen.strokeText(label.text, ...spots[number]);
      pen.fillStyle = colour("ink");
      pen.fillText(label.text, ...spots[number]);
    });
  }

  function textAt(x, y) {
    let best = null;
    let nearest = 14;
    for (const [left, top, , row] of where) {
      const distance = Math.hypot(left - x, top - y);
      if (distance <= nearest) [nearest, best] = [distance, row];
    }
    if (best === null) return "";
    if (data.scores) return `${data.scores[best].toFixed(4)}\n${data.texts[best]}`;
    const group = groupOf(best);
    return data.groups ? `${group < 0 ? "noise" : data.names[group]}\n${data.texts[best]}` : data.texts[best];
  }

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const factor = clamp(view.zoom * Math.exp(-event.deltaY / 400), 1, 60) / view.zoom;
    const [x, y] = [event.offsetX - canvas.clientWidth / 2, event.offsetY - canvas.clientHeight / 2];
    view = { zoom: view.zoom * factor, x: x - (x - view.x) * factor, y: y - (y - view.y) * factor };
    if (view.zoom === 1) view = { zoom: 1, x: 0, y: 0 };
    draw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => { dragged = event; });
  addEventListener("pointerup", () => { dragged = null; });
  canvas.addEventListener("pointermove", (event) => {
    if (!dragged || event.pointerType === "touch" || view.zoom === 1) return;
    view.x += event.clientX - dragged.clientX;
    view.y += event.clientY - dragged.clientY;
    dragged = event;
    draw();
  });
  canvas.addEventListener("dblclick", () => { view = { x: 0, y: 0, zoom: 1 }; draw(); });
  hovers(canvas, textAt);
  const redrawLegend = data.groups ? legend(hidden, draw) : () => {};
  if (data.scores) addScale(...data.score_ends.map((end) => end.toFixed(3)), "score", scoreColour);
  return () => { draw(); redrawLegend(); };
}

function legend(hidden, draw) {
  chart.classList.add("with-legend");
  const list = add(chart, "ul");
  const samples = [];
  const entries = data.names.map((name, group) => [group, name, data.sizes[group], data.typical[group]]);
  if (data.outside) entries.push([-1, "noise", data.outside, ""]);
  for (const [group, name, size, typical] of entries) {
    const item = add(list, "li");
    item.tabIndex = 0;
    item.setAttribute("role", "button");
    item.setAttribute("aria-pressed", "true");
    samples.push([add(item, "canvas"), group]);
    const words = add(item, "span", "", `${name} (${many(size)})`);
    if (typical) add(words, "small", "", typical);
    const toggle = () => {
      if (!hidden.delete(group)) hidden.add(group);
      item.setAttribute("aria-pressed", String(!hidden.has(group)));
      draw();
    };
    item.addEventListener("click", toggle);
    item.addEventListener("keydown", (event) => { if (event.key === "Enter") toggle(); });
  }
  return () => {
    for (const [canvas, group] of samples) mark(context(canvas, 20, 20), group, 10, 10, 6);
  };
}

function barChart() {
  const step = 100 * 0.25 / (1 - data.low);
  section("Scores", data.scores, data.low, true);
  if (data.costs.length) section("Costs, each on a scale of its own", data.costs, 0, false);

  function section(title, panels, low, shared) {
    add(chart, "h2", "", title);
    for (const panel of panels) {
      if (panel.bars.length > 1 || panel.name !== panel.bars[0].name) add(chart, "h3", "", panel.name);
      for (const bar of panel.bars) addBar(panel, bar, low, shared ? 1 : panel.top, shared);
    }
    if (shared) {
      const ticks = add(chart, "div", "ticks");
      add(ticks, "span");
      const line = add(ticks, "div");
      for (let value = low; value <= 1; value += 0.25) {
        add(line, "span", "", String(value)).style.left = (100 * (value - low)) / (1 - low) + "%";
      }
    }
  }

  function addBar(panel, bar, low, top, shared) {
    const line = add(chart, "div", bar.best ? "bar best" : "bar");
    add(line, "span", "name", bar.name);
    const track = add(line, "div", shared ? "track" : "track plain");
    track.style.setProperty("--step", step + "%");
    const at = (value) => (100 * (value - low)) / (top - low);
    if (bar.value !== null) {
      const fill = add(track, "i");
      fill.style.left = Math.min(at(0), at(bar.value)) + "%";
      fill.style.width = Math.abs(at(bar.value) - at(0)) + "%";
    }
    const interval = bar.low !== null && bar.high !== null;
    if (interval) {
      const reach = add(track, "b");
      reach.style.left = at(bar.low) + "%";
      reach.style.width = at(bar.high) - at(bar.low) + "%";
    }
    add(line, "span", "number", bar.label);
    const ends = interval ? `\n${bar.low.toFixed(4)} … ${bar.high.toFixed(4)}` : "";
    hovers(line, () => `${bar.name}\n${panel.name} ${bar.label}${ends}`);
  }
  return () => {};
}

const draw = { heat: heatMap, scatter: scatterPlot, bars: barChart }[data.kind]();
draw();
addEventListener("resize", draw);
dark.addEventListener("change", () => location.reload());
