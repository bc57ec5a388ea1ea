// Draws every [data-chart] from the JSON beside it. Loaded by the chart component itself; a module runs once however often
// it is named. ECharts is fetched only when the first chart is there to be drawn.
//
// Tooltips are drawn on the canvas ("richText"): ECharts' HTML tooltips carry style attributes, which the
// Content-Security-Policy refuses.

let library = null;
const loadLibrary = (address) =>
  (library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.echarts);
    script.onerror = reject;
    document.head.append(script);
  }));

// Colours are resolved by the browser from the same variables as the rest of the page. A probe is needed because
// light-dark() in a custom property is only resolved where the property is used.
const probe = document.createElement("span");
probe.hidden = true;
const colour = (name) => {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = getComputedStyle(probe).color;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
  return `rgb(${r}, ${g}, ${b})`;
};

const axis = (palette, extra) => ({
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: { color: palette.muted, fontSize: 12, hideOverlap: true },
  splitLine: { lineStyle: { color: palette.border } },
  ...extra,
});

const compact = new Intl.NumberFormat(document.documentElement.lang || "en", { notation: "compact" });

const tooltip = (palette, data) => ({
  trigger: "axis",
  renderMode: "richText",
  confine: true,
  axisPointer: { type: data.kind === "line" ? "line" : "shadow", shadowStyle: { color: palette.muted, opacity: 0.1 } },
  backgroundColor: palette.surface,
  borderColor: palette.border,
  textStyle: { color: palette.text, fontSize: 12 },
  formatter: (points) =>
    [points[0].axisValueLabel]
      .concat(points.map((p) => `${p.marker} ${p.seriesName}  ${data.series[p.seriesIndex].texts[p.dataIndex]}`))
      .join("\n"),
});

const seriesOption = (palette, data, one, fontFamily) => {
  const tone = palette.tones[one.tone] ?? palette.tones.brand;
  const isLine = data.kind === "line";
  const isStacked = data.kind === "stacked";
  return {
    name: one.name,
    type: isLine ? "line" : "bar",
    stack: isStacked ? "all" : undefined,
    data: one.values,
    cursor: one.hrefs.length ? "pointer" : "default",
    barMaxWidth: data.kind === "bar" ? 18 : 36,
    symbol: "circle",
    showSymbol: one.values.length < 15,
    symbolSize: 5,
    lineStyle: { width: 2 },
    itemStyle: { color: tone, borderRadius: isStacked ? 0 : data.kind === "bar" ? [0, 4, 4, 0] : [4, 4, 0, 0] },
    areaStyle: isLine && data.series.length === 1 ? { opacity: 0.08 } : undefined,
    label: {
      show: data.kind === "bar",
      position: "right",
      color: palette.text,
      fontFamily,
      formatter: (p) => one.texts[p.dataIndex],
    },
  };
};

const option = (data, fontFamily) => {
  const palette = {
    text: colour("--hub-text"),
    muted: colour("--hub-muted"),
    border: colour("--hub-border"),
    surface: colour("--hub-surface"),
    tones: Object.fromEntries(
      ["neutral", "info", "good", "warning", "danger", "brand"].map((t) => [t, colour(`--hub-${t}-solid`)]),
    ),
  };
  const isSideways = data.kind === "bar";
  const categories = axis(palette, {
    type: "category",
    data: data.labels,
    inverse: isSideways,
    splitLine: { show: false },
    boundaryGap: data.kind !== "line",
  });
  const values = axis(palette, { type: "value", splitNumber: 4, show: !isSideways });
  values.axisLabel.formatter = (v) => compact.format(v);
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 300,
    textStyle: { fontFamily },
    grid: { left: 4, right: isSideways ? 72 : 8, top: data.series.length > 1 ? 34 : 10, bottom: 2, containLabel: true },
    legend: {
      show: data.series.length > 1,
      top: 0,
      left: 0,
      icon: "roundRect",
      itemWidth: 10,
      itemHeight: 10,
      textStyle: { color: palette.muted },
    },
    tooltip: tooltip(palette, data),
    xAxis: isSideways ? values : categories,
    yAxis: isSideways ? categories : values,
    series: data.series.map((one) => seriesOption(palette, data, one, fontFamily)),
  };
};

const draw = async (element) => {
  const data = JSON.parse(document.getElementById(element.dataset.chart).textContent);
  const echarts = await loadLibrary(element.dataset.library);
  const fontFamily = getComputedStyle(document.body).fontFamily;
  const plot = echarts.getInstanceByDom(element) ?? echarts.init(element);
  plot.setOption(option(data, fontFamily), true);
  plot.off("click");
  plot.on("click", ({ seriesIndex, dataIndex }) => {
    const href = data.series[seriesIndex].hrefs[dataIndex];
    if (href) location.assign(href);
  });
};

const drawFirst = (element) => {
  element.dataset.drawn = "true";
  draw(element);
  new ResizeObserver(() => window.echarts?.getInstanceByDom(element)?.resize()).observe(element);
};
const drawAll = () => document.querySelectorAll("[data-chart]:not([data-drawn])").forEach(drawFirst);
const drawAgain = () => document.querySelectorAll("[data-chart]").forEach(draw);

drawAll();
document.addEventListener("htmx:load", drawAll);
document.addEventListener("theme:changed", drawAgain);
