"use strict";

const WORDS = {
  zh: {
    title: "训练", key: "具有 admin 权限的 API 密钥", open: "查看",
    make: "创建密钥：kefu keys create me --scope admin",
    none: "还没有训练。开始一次：kefu train generator", wrong: "密钥不可用，或没有 admin 权限。", lost: "暂时连接不上。",
    finished: "已完成", going: "进行中", unfinished: "已中断", damaged: "已损坏", step: "步数", left: "剩余", minutes: "分钟",
    loss: "训练损失", held: "验证损失", base: "基础模型", began: "开始于",
  },
  en: {
    title: "Training runs", key: "API key with the scope admin", open: "Show",
    make: "Make one with: kefu keys create me --scope admin",
    none: "No run yet. Begin one with: kefu train generator", wrong: "The key cannot be used or lacks the scope admin.",
    lost: "No connection right now.", finished: "finished", going: "going on", unfinished: "stopped", damaged: "damaged",
    step: "step", left: "left", minutes: "min", loss: "training loss", held: "held-out loss", base: "base", began: "began",
  },
};
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const say = (name) => WORDS[language][name];
const STORED = "kefu:training:key";
const EVERY_MS = 4000;
let timer = 0;

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "line", "polyline", "circle", "text"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

async function ask(address) {
  const answer = await fetch(address, { headers: { "X-API-Key": sessionStorage.getItem(STORED) || "" } });
  if (answer.status === 401 || answer.status === 403) throw new Error("wrong");
  if (!answer.ok) throw new Error("lost");
  return answer.json();
}

function plot(points) {
  const wide = Math.max(280, Math.min(860, innerWidth - 74)), high = 240, left = 44, bottom = 26;
  const lines = { one: [], two: [] };
  for (const point of points) {
    if (typeof point.loss === "number") lines.one.push([point.step, point.loss]);
    if (typeof point.held_out_loss === "number") lines.two.push([point.step, point.held_out_loss]);
  }
  const all = [...lines.one, ...lines.two];
  if (!all.length) return "";
  const most = Math.max(...points.map((p) => p.steps || p.step), 1);
  const top = Math.max(...all.map((p) => p[1])) * 1.05;
  const low = Math.min(...all.map((p) => p[1])) * 0.9;
  const x = (step) => left + ((wide - left - 8) * step) / most;
  const y = (loss) => 22 + ((high - bottom - 22) * (top - loss)) / (top - low || 1);
  const label = `${say("loss")}, ${say("held")}`;
  const svg = element("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": label });
  for (let part = 0; part <= 4; part += 1) {
    const value = low + ((top - low) * part) / 4;
    svg.append(
      element("line", { class: "grid", x1: left, x2: wide - 8, y1: y(value), y2: y(value) }),
      element("text", { x: 4, y: y(value) + 4 }, value.toFixed(2)),
    );
  }
  svg.append(element("text", { x: wide - 8, y: high - 6, "text-anchor": "end" }, `${say("step")} ${most}`));
  for (const [name, line] of Object.entries(lines)) {
    svg.append(element("polyline", { class: name, points: line.map((p) => `${x(p[0])},${y(p[1])}`).join(" ") }));
  }
  for (const point of lines.two) svg.append(element("circle", { class: "dot", cx: x(point[0]), cy: y(point[1]), r: 3.5 }));
  svg.append(
    element("line", { class: "one", x1: left, x2: left + 22, y1: 9, y2: 9 }),
    element("text", { x: left + 28, y: 13 }, say("loss")),
    element("line", { class: "two", x1: left + 150, x2: left + 172, y1: 9, y2: 9 }),
    element("text", { x: left + 178, y: 13 }, say("held")),
  );
  return svg;
}

function card(run, points) {
  const state = element("span", { class: `state ${run.state}` }, say(run.going_on ? "going" : run.state));
  const facts = { [say("step")]: `${run.step} / ${run.steps}` };
  if (run.going_on && run.seconds_left) facts[say("left")] = `${Math.ceil(run.seconds_left / 60)} ${say("minutes")}`;
  if (run.base) facts[say("base")] = run.base;
  if (run.began) facts[say("began")] = `${run.began} UTC`;
  for (const [name, value] of Object.entries(run.figures)) facts[name.replaceAll("_", " ")] = String(value);
  const list = element("dl");
  for (const [name, value] of Object.entries(facts)) {
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  }
  const made = element("article", {}, element("header", {}, element("h2", {}, run.name), state), list);
  if (run.state === "unfinished" && run.steps) {
    made.append(element("progress", { value: run.step, max: run.steps, "aria-label": say("step") }));
  }
  made.append(plot(points));
  return made;
}

async function show() {
  clearTimeout(timer);
  const door = document.getElementById("door"), wrong = document.getElementById("wrong");
  if (!sessionStorage.getItem(STORED)) {
    door.hidden = false;
    return;
  }
  try {
    const { runs } = await ask("training/runs");
    const curves = await Promise.all(runs.map((run) => ask(`training/runs/${encodeURIComponent(run.name)}`)));
    document.getElementById("runs").replaceChildren(...runs.map((run, number) => card(run, curves[number].points)));
    document.getElementById("none").hidden = runs.length > 0;
    door.hidden = true;
    wrong.hidden = true;
  } catch (error) {
    const denied = error.message === "wrong";
    if (denied) sessionStorage.removeItem(STORED);
    door.hidden = !denied;
    wrong.textContent = say(denied ? "wrong" : "lost");
    wrong.hidden = false;
    if (denied) return;
  }
  timer = setTimeout(show, EVERY_MS);
}

document.documentElement.lang = language;
for (const each of document.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
document.getElementById("door").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(STORED, document.getElementById("key").value.trim());
  show();
});
show();
