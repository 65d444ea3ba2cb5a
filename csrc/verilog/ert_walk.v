// Where a core's operands lie: one run of neighbouring bytes (or words) a cycle, in the order of the nested loops
// of a Read command, by additions alone.
//
// Whether a step leaves the ring of rows is known beforehand: beside each row address goes a number, below zero
// while the next step stays inside, so that a step is one addition of one of two constants.
`include "ert_isa.vh"
module ert_walk (
    input wire clk,
    input wire rst,
    input wire cmd_ready,
    output wire cmd_take,
    input wire [`ERT_RD_BITS-1:0] cmd,
    output reg run_valid,
    input wire run_taken,  // one of up to ROOM that are on their way
    output wire [50:0] run
);
    localparam ROOM = 4'd8;

    reg busy, init;
    reg [3:0] room;
    wire step = busy & ~init & (room != 4'd0);
    wire kx_last, ky_last, ox_last, oy_last, g_last;
    wire next_ky = step & kx_last;
    wire next_ox = next_ky & ky_last;
    wire next_oy = next_ox & ox_last;
    wire next_g = next_oy & oy_last;
    wire fin = next_g & g_last;
    assign cmd_take = cmd_ready & ~busy;

    always @(posedge clk) begin
        if (rst) begin
            busy <= 1'b0;
            init <= 1'b0;
            room <= ROOM;
        end else begin
            busy <= cmd_take | (busy & ~fin);
            init <= cmd_take;
            room <= room - {3'd0, step} + {3'd0, run_taken};
        end
    end

    ert_counter #(.BITS(8)) kx (.clk(clk), .load(cmd_take), .value(cmd[`ERT_RD_KW]), .step(step), .last(kx_last));
    ert_counter #(.BITS(8)) ky (.clk(clk), .load(cmd_take), .value(cmd[`ERT_RD_KH]), .step(next_ky), .last(ky_last));
    ert_counter #(.BITS(14)) ox (.clk(clk), .load(cmd_take), .value(cmd[`ERT_RD_COLS]), .step(next_ox), .last(ox_last));
    ert_counter #(.BITS(12)) oy (.clk(clk), .load(cmd_take), .value(cmd[`ERT_RD_ROWS]), .step(next_oy), .last(oy_last));
    ert_counter #(.BITS(12)) g (.clk(clk), .load(cmd_take), .value(cmd[`ERT_RD_GROUPS]), .step(next_g), .last(g_last));

    // Constants of the command; those that are sums of fields are made while the command waits.
    function [22:0] wide;
        input [21:0] value;
        wide = {value[21], value};
    endfunction
    wire [11:0] iy0_field = cmd[`ERT_RD_IY0];
    wire [11:0] ix0_field = cmd[`ERT_RD_IX0];
    reg [21:0] base, s_group, s_row, s_col, s_ky, s_kx, s_row_wrap, s_ky_wrap, row_wrap, ky_wrap;
    reg [22:0] beyond, over_row0, over_ky0, over_row_first, over_ky_first;
    reg [16:0] iy0, ix0;
    reg [12:0] in_h;
    reg [13:0] in_w;
    reg [3:0] d_iy, d_ky, d_kx;
    reg [5:0] d_ix;
    reg words;
    reg [7:0] pad;
    reg [15:0] length;
    always @(posedge clk) begin
        row_wrap <= cmd[`ERT_RD_S_ROW] - cmd[`ERT_RD_RING_BYTES];
        ky_wrap <= cmd[`ERT_RD_S_KY] - cmd[`ERT_RD_RING_BYTES];
        beyond <= wide(cmd[`ERT_RD_BASE]) - wide(cmd[`ERT_RD_RING_END]);
        over_row_first <= beyond + wide(cmd[`ERT_RD_S_ROW]);
        over_ky_first <= beyond + wide(cmd[`ERT_RD_S_KY]);
        if (cmd_take) begin
            words <= cmd[`ERT_RD_WORDS];
            base <= cmd[`ERT_RD_BASE];
            s_group <= cmd[`ERT_RD_S_GROUP];
            s_row <= cmd[`ERT_RD_S_ROW];
            s_col <= cmd[`ERT_RD_S_COL];
            s_ky <= cmd[`ERT_RD_S_KY];
            s_kx <= cmd[`ERT_RD_S_KX];
            s_row_wrap <= row_wrap;
            s_ky_wrap <= ky_wrap;
            over_row0 <= over_row_first;
            over_ky0 <= over_ky_first;
            iy0 <= {{5{iy0_field[11]}}, iy0_field};
            ix0 <= {{5{ix0_field[11]}}, ix0_field};
            in_h <= cmd[`ERT_RD_IN_H];
            in_w <= cmd[`ERT_RD_IN_W];
            d_iy <= cmd[`ERT_RD_D_IY];
            d_ix <= cmd[`ERT_RD_D_IX];
            d_ky <= cmd[`ERT_RD_D_KY];
            d_kx <= cmd[`ERT_RD_D_KX];
            pad <= cmd[`ERT_RD_PAD];
            length <= cmd[`ERT_RD_RUN];
        end
    end

    // The walk. row, col: of the tap; *_start: of its pixel; over_*: what the next step is beyond the ring.
    reg [21:0] group, row, row_start, col, col_start;
    reg [22:0] over_row, over_ky, over_ky_start;
    reg [16:0] iy, iy_start;
    reg [17:0] ix, ix_start;
    reg first;
    wire new_group = init | next_g;
    wire new_row = init | next_oy;
    wire new_pixel = init | next_ox;
    wire [21:0] by_row = over_row[22] ? s_row : s_row_wrap;
    wire [21:0] by_ky = over_ky[22] ? s_ky : s_ky_wrap;
    wire [21:0] row_next = new_group ? base : row_start + by_row;
    wire [22:0] over_ky_next = new_group ? over_ky0 : over_ky_start + wide(by_row);
    wire [16:0] iy_next = new_group ? iy0 : iy_start + {13'd0, d_iy};
    wire [21:0] col_next = new_row ? 22'd0 : col_start + s_col;
    wire [17:0] ix_next = new_row ? {ix0[16], ix0} : ix_start + {12'd0, d_ix};
    always @(posedge clk) begin
        first <= init | (first & ~step);
        if (new_group) group <= init ? 22'd0 : group + s_group;
        if (new_row) begin
            row_start <= row_next;
            over_row <= new_group ? over_row0 : over_row + wide(by_row);
            over_ky_start <= over_ky_next;
            iy_start <= iy_next;
        end
        if (new_pixel) begin
            row <= new_row ? row_next : row_start;
            over_ky <= new_row ? over_ky_next : over_ky_start;
            iy <= new_row ? iy_next : iy_start;
            col_start <= col_next;
            ix_start <= ix_next;
        end else if (next_ky) begin
            row <= row + by_ky;
            over_ky <= over_ky + wide(by_ky);
            iy <= iy + {13'd0, d_ky};
        end
        if (init | next_ky) begin
            col <= new_pixel ? col_next : col_start;
            ix <= new_pixel ? ix_next : ix_start;
        end else if (step) begin
            col <= col + s_kx;
            ix <= ix + {14'd0, d_kx};
        end
    end

    // The address, and whether it is inside, two cycles later. The constants are still those of its command:
    // the next is taken a cycle after the last step.
    reg [21:0] line, along, address;
    reg [16:0] line_y;
    reg [17:0] along_x;
    reg sum_valid, sum_first, sum_last, sum_end, run_first, run_last, run_end, run_words, inside;
    reg [7:0] run_pad;
    reg [15:0] run_length;
    always @(posedge clk) begin
        sum_valid <= step & ~rst;
        line <= group + row;
        along <= col;
        line_y <= iy;
        along_x <= ix;
        sum_first <= first;
        sum_last <= kx_last & ky_last;
        sum_end <= fin;
        run_valid <= sum_valid & ~rst;
        address <= line + along;
        inside <= ~line_y[16] & (line_y[15:0] < {3'd0, in_h}) & ~along_x[17] & (along_x[16:0] < {3'd0, in_w});
        run_first <= sum_first;
        run_last <= sum_last;
        run_end <= sum_end;
        run_words <= words;
        run_pad <= pad;
        run_length <= length;
    end
    assign run = {run_length, run_pad, run_words, run_end, run_last, run_first, inside, address};
endmodule
