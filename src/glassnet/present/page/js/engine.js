const LIBM = { log1pf: Math.log1p, log1p: Math.log1p, sqrt: Math.sqrt, sqrtf: Math.sqrt, tan: Math.tan, tanf: Math.tan,
  log: Math.log, logf: Math.log, exp: Math.exp, expf: Math.exp, pow: Math.pow, sin: Math.sin, cos: Math.cos,
  tanh: Math.tanh };
const LINE = 64; // bytes that arrays are aligned to
const SLACK = 256; // bytes behind an array that kernels may read

/** A WebAssembly instance with a memory of its own: one for each network, so that nothing need be freed by hand. */
export class Machine {
  static async create(module) {
    const env = {};
    for (const { name } of WebAssembly.Module.imports(module)) {
      env[name] = LIBM[name] || (() => { throw new Error(`the kernels called ${name}`); });
    }
    return new Machine((await WebAssembly.instantiate(module, { env })));
  }

  constructor(instance) {
    this.exports = instance.exports;
    this.end = this.exports.__heap_base.value;
    this.table = new Map();
  }

  get buffer() { return this.exports.memory.buffer; }

  /** The address of so many bytes, zero at first. */
  allocate(bytes) {
    const at = Math.ceil(this.end / LINE) * LINE;
    this.end = at + bytes + SLACK;
    const short = this.end - this.buffer.byteLength;
    if (short > 0) this.exports.memory.grow(Math.ceil(short / 65536));
    return at;
  }

  /** The address of a copy of a typed array. */
  put(array) {
    const at = this.allocate(array.byteLength);
    new Uint8Array(this.buffer, at, array.byteLength).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return at;
  }

  /** Gives back all that was allocated after `end` was the end. */
  release(end) {
    new Uint8Array(this.buffer, end, this.end - end).fill(0);
    this.end = end;
  }

  floats(at, count) { return new Float32Array(this.buffer, at, count); }
  bytes(at, count) { return new Uint8Array(this.buffer, at, count); }

  /** Where an exported function stands in the table by which the kernels call it. */
  address(name) {
    if (!this.table.has(name)) {
      const place = this.exports.__indirect_function_table.grow(1);
      this.exports.__indirect_function_table.set(place, this.exports[`glassnet_${name}`]);
      this.table.set(name, place);
    }
    return this.table.get(name);
  }
}

/** A program that Python lowered, in a machine's memory, with the context that it runs in. */
export class Program {
  constructor(machine, lowered, layout, parameters) {
    this.machine = machine;
    this.lowered = lowered;
    this.layout = layout;
    this.at = machine.allocate(layout.size);
    this.workspace = machine.allocate(4 * lowered.workspace);
    const identity = BigInt64Array.from({ length: lowered.rows }, (_, i) => BigInt(i));
    this.set({
      code: machine.put(lowered.code), records: machine.put(lowered.records), constants: machine.put(lowered.constants),
      parameters, workspace: this.workspace, identity: machine.put(identity), scratch: machine.allocate(lowered.scratch),
      signals: machine.allocate(320), instructions: lowered.instructions, threads: 1, thread: 0,
      keys_per_step: lowered.keys, is_bytes: lowered.is_bytes, batch_size: lowered.capacity,
    });
    for (const unit of lowered.units) this.set({ [unit]: machine.address(unit) });
  }

  /** Set fields of the context: numbers and addresses. */
  set(fields) {
    const view = new DataView(this.machine.buffer, this.at, this.layout.size);
    for (const [name, value] of Object.entries(fields)) {
      const place = this.layout.offsets[name];
      if (this.layout.floats.includes(name)) view.setFloat64(place, value, true);
      else view.setBigInt64(place, BigInt(value), true);
    }
  }

  /** An address or a whole number of the context. */
  get(name) { return Number(new DataView(this.machine.buffer).getBigInt64(this.at + this.layout.offsets[name], true)); }

  run(first, last) {
    this.set({ first_step: first, last_step: last });
    this.machine.exports.glassnet_run(BigInt(this.at));
  }

  /** The floats of one image at a place of the workspace. */
  place(at, count, image = 0) { return this.machine.floats(this.workspace + 4 * (at + image * count), count); }
}

// (module (func (result v128) i32.const 0 i8x16.splat))
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** Whether this browser's WebAssembly has SIMD; the page has kernels without it, too, which are several times slower. */
export const hasSimd = () => WebAssembly.validate(new Uint8Array(SIMD));
