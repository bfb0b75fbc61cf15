// A find in a dialog, by the address #find=IDENTIFIER, so that it can be linked to.
const panels = JSON.parse(document.getElementById("panels").textContent);
const dialog = document.getElementById("find");
const part = (name) => document.getElementById(`find-${name}`);
let viewer;

function drawAtoms(panel) {
  const box = part("structure");
  viewer ??= $3Dmol.createViewer(box, { backgroundColor: "white" });
  viewer.removeAllModels();
  viewer.removeAllShapes();
  viewer.addModel(panel.atoms, "xyz");
  viewer.setStyle({}, { sphere: { scale: 0.3, colorscheme: "Jmol" }, stick: { radius: 0.08, colorscheme: "Jmol" } });
  const [a, b, c] = panel.cell;
  const corner = (i, j, k) => ({ x: i * a[0] + j * b[0] + k * c[0], y: i * a[1] + j * b[1] + k * c[1], z: i * a[2] + j * b[2] + k * c[2] });
  for (const [p, q] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
    for (const [start, end] of [[[0, p, q], [1, p, q]], [[p, 0, q], [p, 1, q]], [[p, q, 0], [p, q, 1]]]) {
      viewer.addLine({ start: corner(...start), end: corner(...end), color: "#7b8794" });
    }
  }
  const symbols = [...new Set(panel.atoms.split("\n").slice(2).map((line) => line.split(" ")[0]))];
  const color = (symbol) => `#${($3Dmol.elementColors.Jmol[symbol] ?? 0xff1493).toString(16).padStart(6, "0")}`;
  part("legend").innerHTML = symbols.map((symbol) => `<span><i style="background:${color(symbol)}"></i>${symbol}</span>`).join("");
  viewer.resize();
  viewer.zoomTo();
  viewer.rotate(-70, "x");
  viewer.rotate(15, "y");
  viewer.zoom(0.82);
  viewer.render();
}

function offer(link, name, text) {
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
}

function show(id) {
  const panel = panels[id];
  if (!panel) return;
  part("title").innerHTML = panel.formula;
  part("about").innerHTML = panel.about;
  part("facts").innerHTML = "";
  for (const [name, value] of panel.facts) {
    const row = part("facts").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().innerHTML = value;
  }
  offer(part("cif"), panel.file, panel.cif);
  offer(part("poscar"), panel.file.replace(/cif$/, "POSCAR"), panel.poscar);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  const still = { displayModeBar: false, responsive: true };
  part("hull").hidden = !panel.hull;
  if (panel.hull) Plotly.react(part("hull"), panel.hull.data, panel.hull.layout, still);
  Plotly.react(part("powder"), panel.powder.data, panel.powder.layout, still);
  try {
    drawAtoms(panel);
  } catch {
    part("structure").textContent = "This browser cannot draw in three dimensions (WebGL).";
  }
}

const chosen = () => decodeURIComponent((location.hash.match(/^#find=(.*)/) ?? [])[1] ?? "");
const follow = () => (chosen() ? show(chosen()) : dialog.close());
window.addEventListener("hashchange", follow);
dialog.addEventListener("close", () => chosen() && history.replaceState(null, "", "#discoveries"));
document.getElementById("close").addEventListener("click", () => dialog.close());

// The next and the previous one are those of the table as it is sorted and filtered now.
function step(by) {
  const ids = [...document.querySelectorAll("#discovery-table tbody tr:not([hidden]) a[href^='#find=']")].map((link) => link.hash);
  const at = ids.indexOf(location.hash);
  if (ids.length) location.hash = ids[(at + by + ids.length) % ids.length];
}
document.getElementById("next").addEventListener("click", () => step(1));
document.getElementById("previous").addEventListener("click", () => step(-1));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});

// All words must be there: elements as words of their own, anything else as a part of one.
const elements = new Set([...document.querySelectorAll(".periodic b")].map((cell) => cell.textContent));
function narrow() {
  const words = document.getElementById("filter").value.trim().split(/[\s,-]+/).filter(Boolean);
  const only = document.getElementById("on-hull").checked;
  const rows = [...document.querySelectorAll("#discovery-table tbody tr")];
  for (const row of rows) {
    const its = row.dataset.words.split(" ");
    const has = (word) => elements.has(word) ? its.includes(word) : row.dataset.words.toLowerCase().includes(word.toLowerCase());
    row.hidden = !words.every(has) || (only && !("onHull" in row.dataset));
  }
  const left = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").textContent = left === rows.length ? "" : `${left} of ${rows.length}`;
}
document.getElementById("filter")?.addEventListener("input", narrow);
document.getElementById("on-hull")?.addEventListener("change", narrow);
follow();
