/* A line chart: a curve a run, read off under a cursor that all charts of the page share. */
const charts = [];

/* ``curves`` are {run, name, points: [[x, y], …]}; ``format`` turns an x into text. */
function lineChart(title, format) {
  const readout = make("span", { className: "readout" });
  const grid = draw("g"), cursor = draw("line", { class: "cursor", y1: "0", y2: "100%", visibility: "hidden" });
  const lines = draw("svg", { width: "100%", height: "100%", viewBox: "0 0 1 1", preserveAspectRatio: "none" });
  const dots = draw("g");
  const plot = draw("svg", { class: "plot", tabindex: 0, role: "img", "aria-label": title }, grid, lines, dots, cursor);
  const box = make("figure", { className: "panel" }, make("figcaption", {}, make("b", {}, title), " ", readout), make("div", { className: "frame" }, plot));
  const chart = { box, plot, curves: [], x: [0, 1], y: [0, 1] };

  chart.update = (curves, x, smoothing) => {
    chart.curves = curves.map((curve) => ({ ...curve, smooth: smoothed(curve.points, smoothing) }));
    chart.x = x;
    const values = chart.curves.flatMap((curve) => curve.points.map(([, y]) => y));
    chart.y = padded(Math.min(...values), Math.max(...values));
    drawGrid();
    lines.replaceChildren(...chart.curves.flatMap((curve) => [
      ...(smoothing ? [path(curve.points, `run run-${curve.run} faint`)] : []),
      path(curve.smooth, `run run-${curve.run}`),
    ]));
    dots.replaceChildren(...chart.curves.filter((curve) => curve.points.length <= 40).flatMap((curve) =>
      curve.smooth.map(([x, y]) => draw("circle", { cx: percent(across(x)), cy: percent(up(y)), r: 2.5, class: `run-${curve.run}` }))));
    chart.point(null);
  };

  const across = (x) => (x - chart.x[0]) / (chart.x[1] - chart.x[0] || 1);
  const up = (y) => 1 - (y - chart.y[0]) / (chart.y[1] - chart.y[0] || 1);
  const path = (points, name) =>
    draw("path", { class: name, d: points.map(([x, y], i) => `${i ? "L" : "M"}${across(x).toFixed(5)} ${up(y).toFixed(5)}`).join("") });

  function drawGrid() {
    const rows = ticks(...chart.y, 4), columns = ticks(...chart.x, 5);
    grid.replaceChildren(
      ...rows.values.flatMap((value) => [
        draw("line", { x1: 0, x2: "100%", y1: percent(up(value)), y2: percent(up(value)) }),
        draw("text", { x: -8, y: percent(up(value)), dy: 4, "text-anchor": "end" }, short(value, rows.decimals)),
      ]),
      ...columns.values.map((value) =>
        draw("text", { x: percent(across(value)), y: "100%", dy: 18, "text-anchor": "middle" }, format(value))),
    );
  }

  /* The cursor at an x, or nowhere; all that is under it as text. */
  chart.point = (x) => {
    cursor.setAttribute("visibility", x === null ? "hidden" : "visible");
    const several = chart.curves.length > 1;
    readout.replaceChildren(...chart.curves.filter((curve) => curve.smooth.length).flatMap((curve) => {
      const [, y] = x === null ? curve.smooth.at(-1) : nearest(curve.smooth, x);
      const key = make("i", { className: `key run-${curve.run}`, title: curve.name });
      return [several ? key : "", `${precise(y)} `];
    }));
    if (x === null) return;
    cursor.setAttribute("x1", percent(across(x)));
    cursor.setAttribute("x2", percent(across(x)));
  };
  const pointAll = (x) => charts.forEach((one) => one.point(x));
  plot.onpointermove = (event) => {
    const { left, width } = plot.getBoundingClientRect();
    const fraction = Math.min(1, Math.max(0, (event.clientX - left) / width));
    const x = chart.x[0] + fraction * (chart.x[1] - chart.x[0]);
    const points = chart.curves.flatMap((curve) => curve.smooth);
    if (points.length) pointAll(nearest(points, x)[0]);
  };
  plot.onpointerleave = () => pointAll(null);
  plot.onblur = () => pointAll(null);
  plot.onkeydown = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const places = [...new Set(chart.curves.flatMap((curve) => curve.smooth.map(([x]) => x)))].sort((a, b) => a - b);
    if (!by || !places.length) return;
    event.preventDefault();
    const now = places.indexOf(chart.at ?? places.at(-1));
    chart.at = places[Math.min(places.length - 1, Math.max(0, now + by))];
    pointAll(chart.at);
  };
  charts.push(chart);
  return chart;
}

function nearest(points, x) {
  return points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
}

/* The exponential moving average, without the pull of its beginning (as Adam's, Kingma and Ba 2015). */
function smoothed(points, factor) {
  let sum = 0, weight = 0;
  return points.map(([x, y]) => {
    sum = factor * sum + (1 - factor) * y;
    weight = factor * weight + (1 - factor);
    return [x, sum / weight];
  });
}

function padded(low, high) {
  if (!Number.isFinite(low)) return [0, 1];
  const space = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low >= 0 && low - space < 0 ? 0 : low - space, high + space];
}

function short(value, decimals) {
  const isSmall = value !== 0 && Math.abs(value) < 1e-3;
  return isSmall || Math.abs(value) >= 1e6 ? value.toExponential(0).replace("-", "\u2212") : number(value, decimals);
}

function precise(value) {
  const isSmall = value !== 0 && Math.abs(value) < 1e-3;
  return isSmall ? value.toExponential(2).replace("-", "\u2212") : number(value, Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 10 ? 2 : 4);
}
