/* conv2d_b1, each channel from another one and the words in which their weights differ (codegen/mst.py):
 *     dot_j = dot_i + 4 * popcount(xnor(x, w_j) & (w_i ^ w_j)) - 2 * popcount(w_i ^ w_j)
 * The first channel has no other one: all of its words count, and dot = 2 * equal - n.
 * Edges     [out_c][4] int16, parents first: channel, parent, words that differ, the constant
 * Places    of these words in the window, in the order of the edges
 * Words     w_j and the bits that differ, for each of them
 * Sums, Overlap   conv2d_b1__xnor.h         Scratch: the words of a window, a dot product for each channel */
#ifndef ERT_CONV2D_B1__TREE_H
#define ERT_CONV2D_B1__TREE_H

#include "kernels/binary/conv2d_b1__xnor.h"

enum { ERT_TREE_CHANNEL, ERT_TREE_PARENT, ERT_TREE_COUNT, ERT_TREE_CONSTANT, ERT_TREE_FIELDS };

/* Equal bits among those that differ between two channels, in one word. */
ERT_INLINE uint32_t ert_tree_met(const uint32_t *window, const uint16_t *place, const uint32_t *words)
{
    return ~(window[*place] ^ words[0]) & words[1];
}

/* And in `count` words: three of them cost two population counts. */
ERT_INLINE int32_t ert_tree_count(
    const uint32_t *window, const uint16_t *places, const uint32_t *words, int32_t count)
{
    int32_t met = 0;
    for (; count >= 3; count -= 3, places += 3, words += 6) {
        uint32_t ones = ert_tree_met(window, places, words);
        const uint32_t second = ert_tree_met(window, places + 1, words + 2);
        const uint32_t twos = ert_word_add(&ones, second, ert_tree_met(window, places + 2, words + 4));
        met += ert_popcount(ones) + 2 * ert_popcount(twos);
    }
    for (; count > 0; count--, places++, words += 2) {
        met += ert_popcount(ert_tree_met(window, places, words));
    }
    return met;
}

ERT_INLINE void ert_conv2d_b1__tree(
    const uint32_t *x, uint32_t *y, const int16_t *edges, const uint16_t *places, const uint32_t *words,
    const int16_t *sums, const int32_t *threshold, uint8_t *scratch, const ert_conv2d_b1_t *g)
{
    const int32_t taps = g->kernel_h * g->kernel_w, out_words = ert_bit_words(g->out_c);
    uint32_t *const window = (uint32_t *)(void *)scratch;
    int16_t *const dots = (int16_t *)(void *)(window + taps * ert_bit_words(g->in_c));
    for (int32_t b = 0; b < g->batch; b++, x += g->in_h * g->in_w * ert_bit_words(g->in_c)) {
        for (int32_t i = 0; i < g->out_h; i++) {
            for (int32_t j = 0; j < g->out_w; j++, y += out_words) {
                const int32_t r = i * g->stride_h - g->pad_top, q = j * g->stride_w - g->pad_left;
                const int16_t *edge = edges;
                const uint16_t *place = places;
                const uint32_t *w = words;
                ert_conv2d_b1__xnor_gather(window, x, r, q, g);
                for (int32_t n = 0; n < out_words; n++) {
                    y[n] = 0;
                }
                for (int32_t n = 0; n < g->out_c; n++, edge += ERT_TREE_FIELDS) {
                    const int32_t count = edge[ERT_TREE_COUNT], channel = edge[ERT_TREE_CHANNEL];
                    const int32_t met = ert_tree_count(window, place, w, count);
                    int32_t dot = edge[ERT_TREE_CONSTANT] + (n == 0 ? 2 : 4) * met;
                    dot += n == 0 ? 0 : dots[edge[ERT_TREE_PARENT]];
                    dots[channel] = (int16_t)dot;
                    if (g->pad_value == 0) {
                        dot += ert_conv2d_b1__xnor_outside(sums + channel * taps, r, q, g);
                    }
                    y[channel / 32] |= (uint32_t)(dot >= threshold[channel]) << (channel % 32);
                    place += count;
                    w += 2 * count;
                }
            }
        }
    }
}

#endif
