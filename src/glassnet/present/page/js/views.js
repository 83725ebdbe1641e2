// The parts below the drawing, in their order: { id, title, mount(section, page) }. A `mount` that returns false has nothing to
// show for this network, and its part is left out.

import { mountBreak } from "./break.js";
import { mountCompare } from "./compare.js";
import { mountLearn } from "./learn.js";
import { mountSee } from "./see.js";
import { mark } from "./text.js";
import { mountTime } from "./time.js";

export const VIEWS = [
  { id: "compare", title: mark("Compare"), mount: mountCompare },
  { id: "see", title: mark("See through"), mount: mountSee },
  { id: "learn", title: mark("Learn"), mount: mountLearn },
  { id: "time", title: mark("Time"), mount: mountTime },
  { id: "break", title: mark("Break it"), mount: mountBreak },
];
