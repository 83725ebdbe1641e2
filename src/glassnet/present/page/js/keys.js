import { makeVoice } from "./dom.js";
import { words } from "./text.js";

/** The side of the pad in its own pixels, whatever its size on the screen. */
export const SIDE = 280;
const STEP = 6;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Drawing by keyboard: arrows move the pen, two together diagonally; Space lowers and lifts it. Returns what lifts it. */
export const followKeys = (sheet, pen, pad) => {
  const at = [SIDE / 2, SIDE / 4];
  const held = new Set();
  const announce = makeVoice();
  let down = false;
  const place = () => {
    pen.style.left = `${(100 * at[0]) / SIDE}%`;
    pen.style.top = `${(100 * at[1]) / SIDE}%`;
    pen.classList.toggle("down", down);
  };
  const where = () => ({ x: Math.round((100 * at[0]) / SIDE), y: Math.round((100 * at[1]) / SIDE) });
  const lift = () => {
    down = false;
    held.clear();
    pad.end();
    place();
  };
  sheet.addEventListener("keydown", (event) => {
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z") {
      lift();
      pad.undo();
      announce(words("The last stroke is undone."));
    } else if (command || event.altKey) {
      return;
    } else if (event.key in ARROWS) {
      held.add(event.key);
      for (const key of held) {
        for (const i of [0, 1]) at[i] = Math.max(0, Math.min(SIDE, at[i] + ARROWS[key][i] * (event.shiftKey ? 2 : STEP)));
      }
      if (down) pad.extend([[...at, pad.width()]]);
      place();
      announce(words("Pen at {x} % from the left, {y} % from the top.", where()), 400);
    } else if (event.key === " ") {
      if (event.repeat) return event.preventDefault();
      if (down) lift();
      else {
        down = true;
        pad.begin();
        pad.extend([[...at, pad.width()]]);
        place();
      }
      announce(down ? words("Pen down.") : words("Pen up."));
    } else if (event.key === "Escape") {
      lift();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      lift();
      pad.clear();
      announce(words("The pad is empty."));
    } else {
      return;
    }
    event.preventDefault();
  });
  sheet.addEventListener("keyup", (event) => held.delete(event.key));
  sheet.addEventListener("blur", lift);
  place();
  return lift;
};
