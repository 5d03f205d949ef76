// The viewer: the picture is moved and scaled under a window; `at` holds the scale and the place of its corner.
for (const viewer of document.querySelectorAll(".viewer")) {
  const sheet = viewer.querySelector(".sheet"), bar = viewer.nextElementSibling, told = bar.querySelector("output");
  const [width, height] = viewer.dataset.size.split(",").map(Number);
  const card = JSON.parse(viewer.dataset.wcs);
  const fingers = new Map();
  let at = { k: 1, x: 0, y: 0 }, spread = 0;

  const fit = () => Math.min(viewer.clientWidth / width, viewer.clientHeight / height);
  const held = (value, low, high) => Math.min(Math.max(value, low), high);
  const place = () => {
    const k = held(at.k, fit(), Math.max(8, 2 * fit()));
    const room = (outer, inner, value) => (inner <= outer ? (outer - inner) / 2 : held(value, outer - inner, 0));
    at = { k, x: room(viewer.clientWidth, k * width, at.x), y: room(viewer.clientHeight, k * height, at.y) };
    sheet.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.k})`;
    viewer.classList.toggle("is-near", k > 1.001 * fit());
    viewer.classList.toggle("is-close", k > 2);
    viewer.dataset.scale = (k / fit()).toFixed(3);
  };
  const all = () => { at.k = 0; place(); };
  const zoom = (by, x = viewer.clientWidth / 2, y = viewer.clientHeight / 2) => {
    const k = held(at.k * by, fit(), Math.max(8, 2 * fit())), part = k / at.k;
    at = { k, x: x - part * (x - at.x), y: y - part * (y - at.y) };
    place();
  };
  const move = (x, y) => { at.x += x; at.y += y; place(); };
  const seen = (event) => {
    const box = viewer.getBoundingClientRect();
    return [event.clientX - box.left - viewer.clientLeft, event.clientY - box.top - viewer.clientTop];
  };

  const act = {
    in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit: all,
    one: () => zoom(1 / at.k),
    layer: (button) => {
      const on = button.getAttribute("aria-pressed") !== "true";
      bar.querySelectorAll("[data-layer]").forEach((each) => each.setAttribute("aria-pressed", each === button && on));
      sheet.querySelectorAll(".over").forEach((each) => each.remove());
      if (!on) return;
      const over = document.querySelector(`[data-map="${button.dataset.layer}"] img`).cloneNode();
      over.className = "over";
      sheet.append(over);
    },
  };
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) act[button.dataset.do](button);
  });

  viewer.addEventListener("wheel", (event) => {
    // The page scrolls as ever until the viewer is chosen, or the fingers are pinched.
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== viewer) return;
    event.preventDefault();
    zoom(Math.exp(-held(event.deltaY, -120, 120) / 400), ...seen(event));
  }, { passive: false });
  viewer.addEventListener("dblclick", (event) => zoom(2, ...seen(event)));
  viewer.addEventListener("keydown", (event) => {
    const step = 60;
    const keys = {
      "+": act.in, "=": act.in, "-": act.out, "0": all, "1": act.one,
      ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0),
      ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  const between = () => {
    const [a, b] = [...fingers.values()];
    return [Math.hypot(a[0] - b[0], a[1] - b[1]), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  };
  viewer.addEventListener("pointerdown", (event) => {
    viewer.focus({ preventScroll: true });
    viewer.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, seen(event));
    viewer.classList.add("is-moving");
    if (fingers.size === 2) spread = between()[0];
  });
  viewer.addEventListener("pointermove", (event) => {
    const here = seen(event), before = fingers.get(event.pointerId);
    tell(here);
    if (!before) return;
    fingers.set(event.pointerId, here);
    if (fingers.size === 2) {
      const [now, x, y] = between();
      if (spread) zoom(now / spread, x, y);
      spread = now;
    } else if (fingers.size === 1) move(here[0] - before[0], here[1] - before[1]);
  });
  for (const end of ["pointerup", "pointercancel"])
    viewer.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) viewer.classList.remove("is-moving");
    });

  // Pixel as FITS counts it, and the sky through the tangent plane where that is how the mosaic lies.
  const tell = ([px, py]) => {
    const x = (px - at.x) / at.k + 0.5, y = height - (py - at.y) / at.k + 0.5;
    const inside = x > 0.5 && y > 0.5 && x < width + 0.5 && y < height + 0.5;
    told.textContent = inside ? `x ${x.toFixed(0)}, y ${y.toFixed(0)}${onSky(x, y)}` : "";
  };
  const onSky = (x, y) => {
    if (card.CTYPE1 !== "RA---TAN") return "";
    const rad = Math.PI / 180, u = x - card.CRPIX1, v = y - card.CRPIX2;
    const hasCd = ["CD1_1", "CD1_2", "CD2_1", "CD2_2"].some((key) => key in card);
    const cell = (i, j) => hasCd ? card[`CD${i}_${j}`] ?? 0
      : (card[`CDELT${i}`] ?? 1) * (card[`PC${i}_${j}`] ?? (i === j ? 1 : 0));
    const east = rad * (cell(1, 1) * u + cell(1, 2) * v), north = rad * (cell(2, 1) * u + cell(2, 2) * v);
    const [ra0, dec0] = [rad * card.CRVAL1, rad * card.CRVAL2];
    const down = Math.cos(dec0) - north * Math.sin(dec0);
    const ra = ra0 + Math.atan2(east, down);
    const dec = Math.atan2(Math.sin(dec0) + north * Math.cos(dec0), Math.hypot(east, down));
    return ` · RA ${(((ra / rad) % 360 + 360) % 360).toFixed(4)}°, Dec ${(dec / rad).toFixed(4)}°`;
  };

  sheet.style.width = width + "px";
  sheet.style.height = height + "px";
  new ResizeObserver(() => (viewer.dataset.scale > 1.001 ? place() : all())).observe(viewer);
  all();
}
