/* The operations in C99, one function for each of KINDS: their source is what exported headers are made of. "NETWORK"
   becomes the name of the network. Values lie row by row, channels last; x is read, y is written. Where a comment says
   "y may be x", the result may take the place of what is read. */

/* y[j] += Σᵢ x[i]·weight[i][j]; weight (count, units). Zeros, as of blank paper or behind a ReLU, add nothing. */
static inline void NETWORK_add_product(const float *x, int count, const float *weight, int units, float *y)
{
    for (int i = 0; i < count; i++, weight += units)
        if (x[i] != 0.0f)
            for (int j = 0; j < units; j++)
                y[j] += x[i] * weight[j];
}

/* y = (x − center)·scale + offset, of one number each. y may be x. */
static inline void NETWORK_scale(const float *x, int count, float center, float scale, float offset, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = (x[i] - center) * scale + offset;
}

/* y = (x − center)·scale + offset, along the last axes, which hold `size` numbers. y may be x. */
static inline void NETWORK_affine(const float *x, int count, const float *center, const float *scale, const float *offset,
                                  int size, float *y)
{
    for (int i = 0; i < count; i += size)
        for (int j = 0; j < size; j++)
            y[i + j] = (x[i + j] - center[j]) * scale[j] + offset[j];
}

/* y = x·weight + bias; weight (inputs, units). */
static inline void NETWORK_dense(const float *x, int inputs, const float *weight, const float *bias, int units, float *y)
{
    for (int j = 0; j < units; j++)
        y[j] = bias[j];
    NETWORK_add_product(x, inputs, weight, units, y);
}

/* Windows that slide over an image: the sizes of image, window and result, in rows and columns; how far a window is moved
   each time; how many rows above and columns left of the image the first window begins. */
typedef struct {
    int rows, columns, channels;
    int window_rows, window_columns;
    int down, across;
    int top, left;
    int rows_out, columns_out;
} NETWORK_windows;

/* What of a window lies inside the image along one axis: from place `begin` of the window to before `end`. */
static inline void NETWORK_inside(int start, int window, int size, int *begin, int *end)
{
    *begin = start < 0 ? -start : 0;
    *end = start + window > size ? size - start : window;
}

/* y = Σ window·weight + bias, for each filter; weight (rows, columns, channels, filters); 0 lies outside. */
static inline void NETWORK_conv(const float *x, const NETWORK_windows *w, const float *weight, const float *bias, int filters,
                                float *y)
{
    int line = w->window_columns * w->channels; /* numbers in one row of a window */
    for (int r = 0; r < w->rows_out; r++)
        for (int c = 0; c < w->columns_out; c++, y += filters) {
            int row = r * w->down - w->top, column = c * w->across - w->left, first, last, begin, end;
            NETWORK_inside(row, w->window_rows, w->rows, &first, &last);
            NETWORK_inside(column, w->window_columns, w->columns, &begin, &end);
            for (int f = 0; f < filters; f++)
                y[f] = bias[f];
            for (int i = first; i < last; i++)
                NETWORK_add_product(x + ((row + i) * w->columns + column + begin) * w->channels, (end - begin) * w->channels,
                                    weight + (i * line + begin * w->channels) * filters, filters, y);
        }
}

/* y = the largest value of each window, channel by channel. */
static inline void NETWORK_max_pool(const float *x, const NETWORK_windows *w, float *y)
{
    for (int r = 0; r < w->rows_out; r++)
        for (int c = 0; c < w->columns_out; c++, y += w->channels) {
            int row = r * w->down - w->top, column = c * w->across - w->left, first, last, begin, end;
            NETWORK_inside(row, w->window_rows, w->rows, &first, &last);
            NETWORK_inside(column, w->window_columns, w->columns, &begin, &end);
            for (int k = 0; k < w->channels; k++)
                y[k] = -INFINITY;
            for (int i = first; i < last; i++)
                for (int j = begin; j < end; j++)
                    for (int k = 0; k < w->channels; k++) {
                        float value = x[((row + i) * w->columns + column + j) * w->channels + k];
                        y[k] = value > y[k] ? value : y[k];
                    }
        }
}

/* y = the mean of each window, channel by channel, over what lies inside the image. */
static inline void NETWORK_average_pool(const float *x, const NETWORK_windows *w, float *y)
{
    for (int r = 0; r < w->rows_out; r++)
        for (int c = 0; c < w->columns_out; c++, y += w->channels) {
            int row = r * w->down - w->top, column = c * w->across - w->left, first, last, begin, end;
            NETWORK_inside(row, w->window_rows, w->rows, &first, &last);
            NETWORK_inside(column, w->window_columns, w->columns, &begin, &end);
            for (int k = 0; k < w->channels; k++)
                y[k] = 0.0f;
            for (int i = first; i < last; i++)
                for (int j = begin; j < end; j++)
                    for (int k = 0; k < w->channels; k++)
                        y[k] += x[((row + i) * w->columns + column + j) * w->channels + k];
            for (int k = 0; k < w->channels; k++)
                y[k] /= (float)((last - first) * (end - begin));
        }
}

/* y = the largest value of each channel. */
static inline void NETWORK_global_max(const float *x, int places, int channels, float *y)
{
    for (int k = 0; k < channels; k++)
        y[k] = x[k];
    for (int i = 1; i < places; i++)
        for (int k = 0; k < channels; k++)
            y[k] = x[i * channels + k] > y[k] ? x[i * channels + k] : y[k];
}

/* y = the mean of each channel. */
static inline void NETWORK_global_average(const float *x, int places, int channels, float *y)
{
    for (int k = 0; k < channels; k++)
        y[k] = 0.0f;
    for (int i = 0; i < places; i++)
        for (int k = 0; k < channels; k++)
            y[k] += x[i * channels + k];
    for (int k = 0; k < channels; k++)
        y[k] /= (float)places;
}

/* y = γ·(x − mean)/√(variance + ε) + β, mean and variance over the last axis. y may be x. */
static inline void NETWORK_layer_norm(const float *x, int places, int channels, const float *gamma, const float *beta,
                                      float epsilon, float *y)
{
    for (int i = 0; i < places; i++, x += channels, y += channels) {
        float mean = 0.0f, variance = 0.0f;
        for (int k = 0; k < channels; k++)
            mean += x[k];
        mean /= (float)channels;
        for (int k = 0; k < channels; k++)
            variance += (x[k] - mean) * (x[k] - mean);
        variance /= (float)channels;
        for (int k = 0; k < channels; k++)
            y[k] = gamma[k] * (x[k] - mean) / sqrtf(variance + epsilon) + beta[k];
    }
}

/* y = x for x > 0, else slope·x. y may be x. */
static inline void NETWORK_relu(const float *x, int count, float slope, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}

/* σ(x) = 1/(1 + e⁻ˣ), as ½·(1 + tanh ½x), which can't overflow. */
static inline float NETWORK_logistic(float x)
{
    return 0.5f * (1.0f + tanhf(0.5f * x));
}

/* y = σ(x). y may be x. */
static inline void NETWORK_sigmoid(const float *x, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = NETWORK_logistic(x[i]);
}

/* y = tanh x. y may be x. */
static inline void NETWORK_tanh(const float *x, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = tanhf(x[i]);
}

/* y = x·Φ(x), Φ the normal distribution: ½·(1 + erf(x/√2)). y may be x. */
static inline void NETWORK_gelu(const float *x, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

/* y = x·σ(x). y may be x. */
static inline void NETWORK_swish(const float *x, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = x[i] * NETWORK_logistic(x[i]);
}

/* y = eˣ/Σ eˣ along the last axis; the largest x is taken off first, so that nothing overflows. y may be x. */
static inline void NETWORK_softmax(const float *x, int places, int channels, float *y)
{
    for (int i = 0; i < places; i++, x += channels, y += channels) {
        float largest = x[0], total = 0.0f;
        for (int k = 1; k < channels; k++)
            largest = x[k] > largest ? x[k] : largest;
        for (int k = 0; k < channels; k++) {
            y[k] = expf(x[k] - largest);
            total += y[k];
        }
        for (int k = 0; k < channels; k++)
            y[k] /= total;
    }
}

/* y = the sum of both. y may be one of them. */
static inline void NETWORK_add(const float *x, const float *other, int count, float *y)
{
    for (int i = 0; i < count; i++)
        y[i] = x[i] + other[i];
}

/* Copies x (places, channels) into y (places, width), as the channels from `begin` on. */
static inline void NETWORK_concatenate(const float *x, int places, int channels, float *y, int width, int begin)
{
    for (int i = 0; i < places; i++)
        for (int k = 0; k < channels; k++)
            y[i * width + begin + k] = x[i * channels + k];
}

/* hₜ = f(xₜ·W + hₜ₋₁·U + b), from h = 0; xₜ is row t of an image, f is tanh or ReLU; y is the last h, or all of them.
   scratch: 2·units numbers. */
static inline void NETWORK_rnn(const float *x, int steps, int width, const float *weight, const float *recurrent_weight,
                               const float *bias, int units, int relu, int all, float *scratch, float *y)
{
    float *h = scratch, *z = scratch + units;
    for (int j = 0; j < units; j++)
        h[j] = 0.0f;
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < units; j++)
            z[j] = bias[j];
        NETWORK_add_product(x + t * width, width, weight, units, z);
        NETWORK_add_product(h, units, recurrent_weight, units, z);
        for (int j = 0; j < units; j++) {
            h[j] = relu ? (z[j] > 0.0f ? z[j] : 0.0f) : tanhf(z[j]);
            y[(all ? t * units : 0) + j] = h[j];
        }
    }
}

/* i, f, o = σ(…), g = tanh(…) of xₜ·W + hₜ₋₁·U + b, side by side; cₜ = f·cₜ₋₁ + i·g; hₜ = o·tanh cₜ; from h = c = 0.
   xₜ is row t of an image; y is the last h, or all of them. scratch: 6·units numbers. */
static inline void NETWORK_lstm(const float *x, int steps, int width, const float *weight, const float *recurrent_weight,
                                const float *bias, int units, int all, float *scratch, float *y)
{
    float *h = scratch, *c = h + units, *i = c + units, *f = i + units, *g = f + units, *o = g + units;
    for (int j = 0; j < units; j++)
        h[j] = c[j] = 0.0f;
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < 4 * units; j++)
            i[j] = bias[j];
        NETWORK_add_product(x + t * width, width, weight, 4 * units, i);
        NETWORK_add_product(h, units, recurrent_weight, 4 * units, i);
        for (int j = 0; j < units; j++) {
            c[j] = NETWORK_logistic(f[j]) * c[j] + NETWORK_logistic(i[j]) * tanhf(g[j]);
            h[j] = NETWORK_logistic(o[j]) * tanhf(c[j]);
            y[(all ? t * units : 0) + j] = h[j];
        }
    }
}

/* r, z = σ(xₜ·W + hₜ₋₁·U + b); n = tanh(xₜ·Wₙ + bₙ + r·(hₜ₋₁·Uₙ + b′)); hₜ = (1 − z)·n + z·hₜ₋₁; from h = 0; r, z, n
   side by side. xₜ is row t of an image; y is the last h, or all of them. scratch: 7·units numbers. */
static inline void NETWORK_gru(const float *x, int steps, int width, const float *weight, const float *recurrent_weight,
                               const float *bias, const float *recurrent_bias, int units, int all, float *scratch, float *y)
{
    float *h = scratch, *gates = h + units, *inner = gates + 3 * units;
    for (int j = 0; j < units; j++)
        h[j] = 0.0f;
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < 3 * units; j++) {
            gates[j] = bias[j];
            inner[j] = j < 2 * units ? 0.0f : recurrent_bias[j - 2 * units];
        }
        NETWORK_add_product(x + t * width, width, weight, 3 * units, gates);
        NETWORK_add_product(h, units, recurrent_weight, 3 * units, inner);
        for (int j = 0; j < units; j++) {
            float r = NETWORK_logistic(gates[j] + inner[j]), z = NETWORK_logistic(gates[units + j] + inner[units + j]);
            float n = tanhf(gates[2 * units + j] + r * inner[2 * units + j]);
            h[j] = (1.0f - z) * n + z * h[j];
            y[(all ? t * units : 0) + j] = h[j];
        }
    }
}

/* y = x/Σ x; where the sum is 0, each as much. y may be x. */
static inline void NETWORK_share(const float *x, int count, float *y)
{
    float total = 0.0f;
    for (int i = 0; i < count; i++)
        total += x[i];
    for (int i = 0; i < count; i++)
        y[i] = total > 0.0f ? x[i] / total : 1.0f / (float)count;
}

/* y = (1 − x, x), x being the probability of the second class. */
static inline void NETWORK_two_classes(const float *x, float *y)
{
    y[0] = 1.0f - x[0];
    y[1] = x[0];
}
