// The Out section of a core: sums with their parameters through the requantizer, packed to words, into the
// scratchpad.
//
// Lanes come one a cycle and never wait; Mac has made sure that the FIFO has room for the pixel that they become.
// A command's first half (parameters, rounding, clamp) is taken over when its first lane comes, its second (where
// to) when the writes of the one before are out.
//
// P, the parameters of a channel, is two memories of 36 bits, the width that block RAMs like: {shift[3:0], bias}
// and {shift[7:4], multiplier}. ADD and TABLE look up two entries at once.
`include "ert_isa.vh"
module ert_out #(
    parameter PARAM_ENTRIES = 512,
    parameter FIFO = 8
) (
    input wire clk,
    input wire rst,
    input wire next_ready,
    output wire next_free,  // the next command is there, and may be taken
    input wire next_take,  // by Mac, which takes its own
    input wire [`ERT_OUT_BITS-1:0] next_cmd,
    input wire lane_valid,
    input wire [31:0] lane_sum,
    input wire lane_last,
    input wire lane_begin,
    input wire lane_group,
    input wire lane_table,
    input wire lane_both,
    input wire [11:0] lane_t_base,
    output wire taken,  // a pixel has left the FIFO
    input wire p_write,
    input wire [11:0] p_write_at,
    input wire [71:0] p_write_data,  // shift, multiplier, bias
    output wire wr_valid,
    input wire wr_ready,
    output wire [18:0] wr_addr,
    output wire [63:0] wr_data,
    output wire [7:0] wr_bytes,
    output wire wr_last  // of the command
);
    localparam BITS = PARAM_ENTRIES > 1 ? $clog2(PARAM_ENTRIES) : 1;
    localparam AFTER = 10;  // ert_requantize.LATENCY

    // The command, from when Mac begins with it until both halves have taken it over. Its sums in ert_place are
    // there two cycles later; the first lane comes later than that.
    reg [`ERT_OUT_BITS-1:0] cmd;
    reg held, held1, held2, front_done, back_done;
    wire front_take, back_take;
    wire release_cmd = (front_done | front_take) & (back_done | back_take);
    assign next_free = next_ready & ~held;
    always @(posedge clk) begin
        if (next_take) cmd <= next_cmd;
        if (rst) begin
            held <= 1'b0;
            held1 <= 1'b0;
            held2 <= 1'b0;
            front_done <= 1'b0;
            back_done <= 1'b0;
        end else begin
            held <= next_take | (held & ~release_cmd);
            held1 <= held & ~release_cmd;
            held2 <= held1 & ~release_cmd;
            front_done <= (front_done | front_take) & ~release_cmd;
            back_done <= (back_done | back_take) & ~release_cmd;
        end
    end

    // 1: the entry of P
    reg lane_first;  // the next lane is a pixel's first
    reg [11:0] p_next, p_group;
    wire p_begin = lane_begin & lane_first;
    wire [11:0] p_here = p_begin ? cmd[`ERT_OUT_P_BASE] : p_next;
    wire [7:0] index1 = (8'd0 - lane_sum[15:8]) ^ 8'h80;  // the second byte went in times -256
    reg [11:0] at_bias, at_multiplier;
    reg valid1, begin1, last1, table1, both1;
    reg [31:0] sum1;
    always @(posedge clk) begin
        lane_first <= rst | (lane_valid ? lane_last : lane_first);
        if (lane_valid) begin
            if (p_begin) p_group <= cmd[`ERT_OUT_P_BASE];
            else if (lane_last & lane_group) p_group <= p_group + 12'd8;
            p_next <= lane_last ? (lane_group ? p_group + 12'd8 : p_group) : p_here + 12'd1;
        end
        at_bias <= lane_table ? lane_t_base + {4'd0, lane_sum[7:0] ^ 8'h80} : p_here;
        at_multiplier <= lane_table ? lane_t_base + {4'd0, index1} : p_here;
        valid1 <= lane_valid & ~rst;
        begin1 <= p_begin;
        last1 <= lane_last;
        table1 <= lane_table;
        both1 <= lane_both;
        sum1 <= lane_sum;
    end

    // 2, 3: P
    wire [35:0] entry_bias, entry_multiplier;
    wire unused = &{1'b0, at_bias, at_multiplier, p_write_at};
    ert_ram #(.WIDTH(36), .DEPTH(PARAM_ENTRIES)) biases (
        .clk(clk), .write(p_write), .write_at(p_write_at[BITS-1:0]),
        .write_data({p_write_data[67:64], p_write_data[31:0]}),
        .read_at(at_bias[BITS-1:0]), .read_data(entry_bias)
    );
    ert_ram #(.WIDTH(36), .DEPTH(PARAM_ENTRIES)) multipliers (
        .clk(clk), .write(p_write), .write_at(p_write_at[BITS-1:0]), .write_data({p_write_data[71:68], p_write_data[63:32]}),
        .read_at(at_multiplier[BITS-1:0]), .read_data(entry_multiplier)
    );
    reg valid2, begin2, last2, table2, both2, valid3, last3, table3, both3;
    reg [31:0] sum2, sum3;
    assign front_take = valid2 & begin2;
    reg uniform;
    reg [2:0] mode;
    reg [30:0] u_multiplier;
    reg [7:0] u_shift, y_zero, y_min, y_max;
    always @(posedge clk) begin
        valid2 <= valid1 & ~rst;
        begin2 <= begin1;
        last2 <= last1;
        table2 <= table1;
        both2 <= both1;
        sum2 <= sum1;
        valid3 <= valid2 & ~rst;
        last3 <= last2;
        table3 <= table2;
        both3 <= both2;
        sum3 <= sum2;
        if (front_take) begin
            uniform <= cmd[`ERT_OUT_UNIFORM] | (cmd[`ERT_OUT_MODE] == `ERT_MODE_WORD);
            mode <= cmd[`ERT_OUT_MODE];
            u_multiplier <= cmd[`ERT_OUT_U_MULTIPLIER];
            u_shift <= cmd[`ERT_OUT_U_SHIFT];
            y_zero <= cmd[`ERT_OUT_Y_ZERO];
            y_min <= cmd[`ERT_OUT_Y_MIN];
            y_max <= cmd[`ERT_OUT_Y_MAX];
        end
    end

    // 4, 5: bias and sum, or two entries of tables; then into the requantizer
    reg valid4, last4, once4, raw4, sign4, valid5, last5, once5, raw5, sign5;
    reg [31:0] left4, right4;
    reg signed [31:0] acc5;
    reg [30:0] multiplier4, multiplier5;
    reg signed [7:0] shift4, shift5, zero4, zero5, min4, min5, max4, max5;
    always @(posedge clk) begin
        valid4 <= valid3 & ~rst;
        last4 <= last3;
        left4 <= both3 ? entry_multiplier[31:0] : table3 ? 32'd0 : sum3;
        right4 <= (uniform & ~table3) ? 32'd0 : entry_bias[31:0];
        multiplier4 <= uniform ? u_multiplier : entry_multiplier[30:0];
        shift4 <= uniform ? u_shift : {entry_multiplier[35:32], entry_bias[35:32]};
        once4 <= mode == `ERT_MODE_ONCE;
        raw4 <= (mode == `ERT_MODE_RAW) | (mode == `ERT_MODE_WORD);
        sign4 <= mode == `ERT_MODE_SIGN;
        zero4 <= y_zero;
        min4 <= y_min;
        max4 <= y_max;
        valid5 <= valid4 & ~rst;
        last5 <= last4;
        acc5 <= left4 + right4;
        multiplier5 <= multiplier4;
        shift5 <= shift4;
        once5 <= once4;
        raw5 <= raw4;
        sign5 <= sign4;
        zero5 <= zero4;
        min5 <= min4;
        max5 <= max4;
    end
    wire y_valid;
    wire [7:0] y;
    ert_requantize requantize (
        .clk(clk), .rst(rst), .in_valid(valid5), .acc(acc5), .multiplier(multiplier5), .shift(shift5), .once(once5),
        .y_zero(zero5), .y_min(min5), .y_max(max5), .out_valid(y_valid), .y(y)
    );

    // Beside it: the low byte for RAW and WORD, the sign for SIGN, what is last.
    reg [10:0] beside [0:AFTER-1];
    integer i;
    always @(posedge clk) begin
        beside[0] <= {last5, raw5, sign5, sign5 ? {7'd0, ~acc5[31]} : acc5[7:0]};
        for (i = 1; i < AFTER; i = i + 1) beside[i] <= beside[i-1];
    end
    wire [10:0] now = beside[AFTER-1];
    reg [63:0] packed_bytes;
    reg [7:0] packed_bits;
    reg full, full_sign;
    always @(posedge clk) begin
        full <= y_valid & now[10] & ~rst;
        full_sign <= now[8];
        if (y_valid) begin
            packed_bytes <= {(now[9] ? now[7:0] : y), packed_bytes[63:8]};
            packed_bits <= {now[0], packed_bits[7:1]};
        end
    end
    wire pixel_valid, pixel_taken, unused_ready;
    wire [63:0] pixel;
    ert_fifo #(.WIDTH(64), .DEPTH(FIFO)) pixels (
        .clk(clk), .rst(rst), .in_valid(full), .in_ready(unused_ready),
        .in_data(full_sign ? {8{packed_bits}} : packed_bytes),
        .out_valid(pixel_valid), .out_ready(pixel_taken), .out_data(pixel)
    );
    assign taken = pixel_valid & pixel_taken;

    // Where to, and the writes: a word, a byte, or 8 bytes one by one.
    wire place_busy, place_valid, place_last, place_last_group;
    wire [21:0] place;
    ert_place places (
        .clk(clk), .rst(rst), .take(back_take), .cmd(cmd), .busy(place_busy), .valid(place_valid), .taken(taken),
        .address(place), .is_last(place_last), .is_last_group(place_last_group)
    );
    reg writing, bytes, by_lane, is_byte, is_last;
    reg [2:0] more, last_lanes;
    reg [21:0] s_lane, s_lane_next, address;
    reg [63:0] data;
    wire done = writing & wr_ready & (more == 3'd0);
    assign back_take = held2 & ~back_done & ~place_busy;
    assign pixel_taken = place_valid & (~writing | done);
    always @(posedge clk) begin
        if (back_take) begin
            by_lane <= cmd[`ERT_OUT_BY_LANE];
            s_lane_next <= cmd[`ERT_OUT_S_LANE];
            is_byte <= cmd[`ERT_OUT_BY_LANE] | (cmd[`ERT_OUT_MODE] == `ERT_MODE_SIGN);
            last_lanes <= cmd[`ERT_OUT_LAST_LANES];
        end
        if (rst) writing <= 1'b0;
        else writing <= taken | (writing & ~done);
        if (taken) begin
            address <= place;
            data <= pixel;
            bytes <= is_byte;
            is_last <= place_last;
            s_lane <= s_lane_next;  // the next command's may come while this pixel is written
            more <= ~by_lane ? 3'd0 : place_last_group ? last_lanes : 3'd7;
        end else if (writing & wr_ready) begin
            address <= address + s_lane;
            data <= {8'd0, data[63:8]};
            more <= more - 3'd1;
        end
    end

    assign wr_valid = writing;
    assign wr_addr = address[21:3];
    assign wr_data = bytes ? {8{data[7:0]}} : data;
    assign wr_bytes = bytes ? 8'd1 << address[2:0] : 8'hff;
    assign wr_last = is_last & (more == 3'd0);
endmodule
