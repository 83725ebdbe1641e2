// The parts below the drawing, in their order: { id, title, mount(section, page) }. A `mount` that returns false has nothing to
// show for this network, and its part is left out.

import { mountSee } from "./see.js";
import { mark } from "./text.js";

export const VIEWS = [{ id: "see", title: mark("See through"), mount: mountSee }];
