/* How many cards have which margin; dragging chooses a range, which ``choose`` is told of. */
const BINS = 40;

function histogram(choose) {
  const bars = draw("g"), axis = draw("g"), range = draw("rect", { class: "range", y: 0, height: "100%" });
  const plot = draw("svg", { class: "histogram", "aria-hidden": "true" }, range, bars, axis);
  let low = -1, high = 1, start = null;

  const at = (event) => {
    const box = plot.getBoundingClientRect();
    const fraction = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return low + fraction * (high - low);
  };
  const drag = (event) => {
    const stop = at(event), [from, to] = start < stop ? [start, stop] : [stop, start];
    const isClick = to - from < (high - low) / (2 * BINS);
    choose(isClick ? "" : from.toFixed(3), isClick ? "" : to.toFixed(3));
  };
  plot.onpointerdown = (event) => {
    start = at(event);
    plot.setPointerCapture(event.pointerId);
  };
  plot.onpointermove = (event) => start !== null && drag(event);
  plot.onpointerup = (event) => {
    if (start !== null) drag(event);
    start = null;
  };
  plot.onpointercancel = () => (start = null);

  const scale = (margins) => {
    const end = Math.max(...margins.map(Math.abs), 1e-6);
    low = Math.min(...margins) < 0 ? -end : 0;
    high = end;
    const { values, decimals } = ticks(low, high, 6);
    axis.replaceChildren(...values.flatMap((value) => {
      const x = percent((value - low) / (high - low));
      const anchor = value === values[0] && value === low ? "start" : value === high ? "end" : "middle";
      return [
        draw("line", { x1: x, x2: x, y1: "0", y2: "74", class: Math.abs(value) < 1e-12 ? "zero" : "grid" }),
        draw("text", { x, y: 90, "text-anchor": anchor }, number(value, decimals)),
      ];
    }));
  };
  const update = (margins, from, to) => {
    const counts = new Array(BINS).fill(0);
    for (const margin of margins)
      counts[Math.min(BINS - 1, Math.floor(((margin - low) / (high - low)) * BINS))] += 1;
    const most = Math.max(...counts, 1);
    bars.replaceChildren(...counts.map((count, bin) => {
      const middle = low + ((bin + 0.5) / BINS) * (high - low), height = count && 2 + (70 * count) / most;
      return draw("rect", {
        x: percent((bin + 0.08) / BINS), width: percent(0.84 / BINS), y: 74 - height, height,
        class: middle < 0 ? "wrong" : "right",
      });
    }));
    const [first, last] = [from === "" ? low : +from, to === "" ? high : +to];
    const isChosen = from !== "" || to !== "";
    const left = Math.max(0, (first - low) / (high - low)), right = Math.min(1, (last - low) / (high - low));
    range.setAttribute("x", percent(left));
    range.setAttribute("width", isChosen ? percent(Math.max(0, right - left)) : "0");
  };
  return { plot, scale, update };
}
