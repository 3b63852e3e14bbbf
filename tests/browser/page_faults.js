// The faults in the appearance of this page, as a list of sentences. WCAG 2.2: 1.4.3, 1.4.10, 2.5.8, 3.3.2.
() => {
  const faults = [];

  const isVisible = (element) => element.checkVisibility({ visibilityProperty: true });
  const colour = (text) => {
    const numbers = text.match(/[\d.]+(e-?\d+)?/g).map(Number);
    const [r, g, b] = text.startsWith("color(") ? numbers.slice(0, 3).map((part) => part * 255) : numbers;
    return { r, g, b, a: numbers[3] ?? 1 };
  };
  const over = (top, below, alpha) => ({
    r: top.r * alpha + below.r * (1 - alpha),
    g: top.g * alpha + below.g * (1 - alpha),
    b: top.b * alpha + below.b * (1 - alpha),
  });
  const luminance = ({ r, g, b }) => {
    const [red, green, blue] = [r, g, b].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (element) => {
    const around = [];
    for (let each = element; each; each = each.parentElement) around.unshift(getComputedStyle(each));
    let ground = { r: 255, g: 255, b: 255 };
    let opacity = 1;
    for (const style of around) {
      const background = colour(style.backgroundColor);
      opacity *= Number(style.opacity);
      ground = over(background, ground, background.a * opacity);
    }
    const ink = colour(getComputedStyle(element).color);
    const [dark, light] = [luminance(over(ink, ground, ink.a * opacity)), luminance(ground)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  // A phone zooms out until the whole page fits, so innerWidth may be wider than the window.
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) faults.push("it is wider than the window");
  if (!document.documentElement.lang) faults.push("it has no lang attribute");
  if (document.querySelectorAll("h1").length !== 1) faults.push("it does not have exactly one h1");

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data.trim();
    const element = texts.currentNode.parentElement;
    if (!text || !isVisible(element)) continue;
    const ratio = contrast(element);
    if (ratio < 4.5) faults.push(`“${text}” has a contrast of ${ratio.toFixed(2)}`);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!field.labels.length) faults.push(`the field ${field.name} has no label`);
    if (parseFloat(getComputedStyle(field).fontSize) < 16) faults.push(`a phone zooms in at the field ${field.name}`);
    if (contrast(field) < 4.5) faults.push(`the text in the field ${field.name} has too little contrast`);
  }
  for (const button of document.querySelectorAll("button, .button, summary")) {
    if (!isVisible(button)) continue;
    const { width, height } = button.getBoundingClientRect();
    if (Math.min(width, height) < 24) faults.push(`“${button.innerText}” is smaller than 24 pixels`);
  }
  return faults;
}
