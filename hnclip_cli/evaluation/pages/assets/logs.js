/* The logs of trainings: a chart a number, in groups; runs lie over each other. */
const AXES = { step: "steps", epoch: "epochs", time: "time" };

showLogs(document.getElementById("logs"), data.runs);

function showLogs(main, runs) {
  const groups = new Map(); // of charts: group → name → [{run, points}]
  runs.forEach((run, index) => {
    for (const { group, name, points } of run.series) {
      if (!groups.has(group)) groups.set(group, new Map());
      if (!groups.get(group).has(name)) groups.get(group).set(name, []);
      groups.get(group).get(name).push({ run: index, points });
    }
  });
  const axes = Object.keys(AXES).filter((axis) => runs.every((run) => run.axes[axis]));
  const smoothing = make("input", { type: "range", id: "smoothing", min: 0, max: 0.98, step: 0.02, value: 0 });
  const form = make("form", { className: "filters" },
    choice("x", "Over", axes.map((axis) => [axis, AXES[axis]])), make("label", {}, "Smoothing", smoothing));
  const axis = form.querySelector("#x"), hidden = new Set();
  const names = make("div", { className: "runs" });
  if (runs.length > 1) form.append(names);
  runs.forEach((run, index) => {
    const button = make("button", { type: "button", ariaPressed: "true" }, make("i", { className: `key run-${index % 8}` }), run.name);
    button.onclick = () => {
      if (!hidden.delete(index)) hidden.add(index);
      update();
    };
    names.append(button);
  });

  const nav = make("nav", { ariaLabel: "Sections" });
  const sections = [...groups].map(([group, series], place) => {
    const id = `section-${place}`;
    nav.append(make("a", { href: "#" + id }, group));
    const shown = [...series].map(([name, curves]) => ({ name, curves, chart: lineChart(name, (x) => along(axis.value, x)) }));
    main.append(make("h2", { id }, group), make("div", { className: "charts" }, ...shown.map((one) => one.chart.box)));
    return shown;
  });
  main.prepend(form, nav);

  function update() {
    const factor = +smoothing.value;
    const all = runs.flatMap((run) => (run.axes[axis.value] || []).filter((x) => x !== null));
    const x = [Math.min(0, ...all), Math.max(...all, 1e-9)];
    for (const { curves, chart } of sections.flat())
      chart.update(
        curves.filter(({ run }) => !hidden.has(run)).map(({ run, points }) => ({
          run: run % 8, name: runs[run].name,
          points: points.map(([line, y]) => [runs[run].axes[axis.value][line], y]).filter(([at]) => at !== null),
        })),
        x, factor,
      );
    [...names.children].forEach((button, index) => (button.ariaPressed = String(!hidden.has(index))));
    const off = [...hidden].join(",");
    address.write({ x: axis.value === axes[0] ? "" : axis.value, smoothing: factor || "", hidden: off });
  }
  function open() {
    const state = address.read();
    axis.value = axes.includes(state.x) ? state.x : axes[0];
    smoothing.value = state.smoothing || 0;
    hidden.clear();
    for (const index of (state.hidden || "").split(",").filter(Boolean)) hidden.add(+index);
    update();
  }
  form.oninput = form.onchange = update;
  form.onsubmit = (event) => event.preventDefault();
  window.onhashchange = () => location.hash.includes("=") && open();
  open();
}

/* A place on the horizontal axis as text; time in hours, minutes and seconds. */
function along(axis, x) {
  if (axis !== "time") return number(x, x % 1 ? 1 : 0);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  return x < 3600 ? `${Math.floor(x / 60)}:${two(x % 60)}` : `${Math.floor(x / 3600)}:${two((x % 3600) / 60)} h`;
}
