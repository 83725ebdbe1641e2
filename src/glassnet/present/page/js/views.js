// The parts below the drawing, in their order: { id, title, mount(section, page) }. A `mount` that returns false has nothing to
// show for this network, and its part is left out.

export const VIEWS = [];
