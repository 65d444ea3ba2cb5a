// C-simulated, not synthesised by us.
//
// The fields of every command, as codegen/hls/isa.py declares and explains them; made from it.
#ifndef ERT_ISA_H
#define ERT_ISA_H

#include "ert_types.h"

namespace ert {

constexpr int LANES = 8;
constexpr int ADDRESS_BITS = 22;
constexpr int EXTERNAL_BITS = 24;
constexpr int NEED_BITS = 12;
constexpr int ROM_BITS = 36;
constexpr int READ_BITS = 324;
constexpr int MAC_BITS = 111;
constexpr int OUT_BITS = 275;
constexpr int LOAD_BITS = 118;
constexpr int STORE_BITS = 63;
constexpr int SOFTMAX_BITS = 118;

struct Op {
    enum { DOT = 0, LANE = 1, MAX = 2, SUM = 3, ADD = 4, MUL = 5, TABLE = 6, XNOR = 8, OR = 9, AND = 10 };
};

struct Mode {
    enum { TWICE = 0, ONCE = 1, RAW = 2, SIGN = 3, WORD = 4 };
};

struct Memory {
    enum { SCRATCH = 0, WEIGHTS = 1, PARAMS = 2, TABLE = 3 };
};

struct Read {
    ert_uint<1> words = 0;
    ert_uint<13> groups = 1;
    ert_uint<13> rows = 1;
    ert_uint<15> cols = 1;
    ert_uint<9> kh = 1;
    ert_uint<9> kw = 1;
    ert_uint<17> run = 1;
    ert_int<22> base = 0;
    ert_int<22> s_group = 0;
    ert_int<22> s_row = 0;
    ert_int<22> s_col = 0;
    ert_int<22> s_ky = 0;
    ert_int<22> s_kx = 0;
    ert_int<22> ring_end = 2097151;
    ert_int<22> ring_bytes = 0;
    ert_int<12> iy0 = 0;
    ert_int<12> ix0 = 0;
    ert_uint<13> in_h = 8191;
    ert_uint<14> in_w = 16383;
    ert_uint<4> d_iy = 0;
    ert_uint<6> d_ix = 0;
    ert_uint<4> d_ky = 0;
    ert_uint<4> d_kx = 0;
    ert_int<8> pad = 0;
};

struct Mac {
    ert_uint<4> op = 0;
    ert_uint<1> window = 0;
    ert_int<8> x_zero = 0;
    ert_int<8> w_zero = 0;
    ert_uint<16> w_base = 0;
    ert_uint<16> w_step = 0;
    ert_uint<12> t_base = 0;
    ert_uint<13> groups = 1;
    ert_uint<13> rows = 1;
    ert_uint<15> cols = 1;
    ert_uint<4> kh = 1;
    ert_uint<4> kw = 1;
    ert_uint<3> sw = 1;
};

struct Out {
    ert_uint<3> mode = 0;
    ert_uint<1> uniform = 0;
    ert_uint<1> by_lane = 0;
    ert_uint<4> last_lanes = 8;
    ert_uint<12> p_base = 0;
    ert_uint<31> u_multiplier = 0;
    ert_int<8> u_shift = 0;
    ert_int<8> y_zero = 0;
    ert_int<8> y_min = -128;
    ert_int<8> y_max = 127;
    ert_uint<13> groups = 1;
    ert_uint<13> rows = 1;
    ert_uint<15> cols = 1;
    ert_int<22> base = 0;
    ert_int<22> s_group = 0;
    ert_int<22> s_row = 0;
    ert_int<22> s_col = 0;
    ert_int<22> s_lane = 0;
    ert_int<22> ring_end = 2097151;
    ert_int<22> ring_bytes = 0;
};

struct Load {
    ert_uint<1> scratch = 0;
    ert_uint<2> dst = 0;
    ert_uint<16> mask = 0;
    ert_uint<24> src_addr = 0;
    ert_uint<17> rows = 1;
    ert_uint<17> row_words = 1;
    ert_int<24> stride = 0;
    ert_uint<19> dst_addr = 0;
};

struct Store {
    ert_uint<19> src_addr = 0;
    ert_uint<24> dst_addr = 0;
    ert_uint<21> words = 1;
};

struct Softmax {
    ert_int<22> x = 0;
    ert_int<22> y = 0;
    ert_int<22> x_stride = 0;
    ert_int<22> y_stride = 0;
    ert_uint<13> rows = 1;
    ert_uint<11> depth = 1;
    ert_uint<8> t_base = 0;
};

} // namespace ert

#endif
