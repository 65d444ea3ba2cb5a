// The Mac section of a core: takes items, one a cycle, finds their weights, and gives each pixel's 8 sums to Out,
// a lane a cycle, while the next pixel is being multiplied.
//
// Nothing behind the point where an item is taken ever waits. So the last item of a pixel is taken only when 8
// cycles have gone since the one before (the sums of that one are then on their way) and Out has room for what it
// becomes; a pixel costs max(items, 8) cycles.
`include "ert_isa.vh"
module ert_mac #(
    parameter BINARY = 0,
    parameter WEIGHT_WORDS = 2048,
    parameter OUT_FIFO = 8  // pixels that Out has room for
) (
    input wire clk,
    input wire rst,
    input wire cmd_ready,
    output wire cmd_take,
    input wire [`ERT_MAC_BITS-1:0] cmd,
    input wire out_cmd_ready,  // Out's command of the same number
    input wire item_valid,
    output wire item_ready,
    input wire [63:0] item,
    input wire item_last,
    input wire item_end,
    input wire w_write,
    // verilator lint_off UNUSEDSIGNAL
    input wire [18:0] w_write_at,  // of a memory as large as any
    // verilator lint_on UNUSEDSIGNAL
    input wire [63:0] w_write_data,
    output reg lane_valid,  // sums of a pixel, lane 0 first
    output wire [31:0] lane_sum,
    output reg lane_last,
    output reg lane_begin,  // the pixel is the first of its command,
    output reg lane_group,  // the last of its group
    output reg lane_table,  // sum is one or two indices of P (TABLE, ADD)
    output reg lane_both,
    output reg [11:0] lane_t_base,
    input wire out_taken,  // a pixel has left Out's FIFO
    output wire working  // an item is taken
);
    localparam BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1;
    localparam CREDIT = $clog2(OUT_FIFO + 1);
    localparam ALL = OUT_FIFO;

    // The command.
    reg have, begun, first;
    reg [3:0] op;
    reg window;
    reg [7:0] x_zero, w_zero;
    reg [15:0] w_next, w_group, w_step;
    reg [11:0] t_base;
    reg [2:0] kh, kw;
    reg [1:0] sw;
    wire [3:0] cmd_op = cmd[`ERT_MAC_OP];
    wire is_table = (cmd_op == `ERT_OP_ADD) | (cmd_op == `ERT_OP_TABLE);
    assign cmd_take = cmd_ready & out_cmd_ready & ~have;

    // Items, as they are or from the window.
    wire src_valid, src_last, taken, col_last, row_last, group_last;
    wire [63:0] src;
    reg start;
    ert_window windows (
        .clk(clk), .rst(rst), .start(start), .window(window & have & ~start), .kh(kh), .kw(kw), .sw(sw), .row_end(col_last),
        .in_valid(item_valid), .in_ready(item_ready), .in_item(item), .in_last(item_last), .in_end(item_end),
        .out_valid(src_valid), .out_taken(taken), .out_item(src), .out_last(src_last)
    );

    reg [2:0] gap;
    reg [CREDIT-1:0] credit;
    wire may_end = (gap == 3'd0) & (credit != 0);
    assign taken = have & ~start & src_valid & (~src_last | may_end);
    assign working = taken;
    wire pixel = taken & src_last;
    wire row = pixel & col_last;
    wire group = row & row_last;
    wire fin = group & group_last;
    ert_counter #(.BITS(14)) cols (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_MAC_COLS]), .step(pixel), .last(col_last)
    );
    ert_counter #(.BITS(12)) rows (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_MAC_ROWS]), .step(row), .last(row_last)
    );
    ert_counter #(.BITS(12)) groups (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_MAC_GROUPS]), .step(group), .last(group_last)
    );
    wire [15:0] w_group_next = w_group + w_step;
    always @(posedge clk) begin
        if (rst) begin
            have <= 1'b0;
            start <= 1'b0;
            gap <= 3'd0;
            credit <= ALL[CREDIT-1:0];
        end else begin
            have <= cmd_take | (have & ~fin);
            start <= cmd_take;
            gap <= pixel ? 3'd7 : (gap != 3'd0) ? gap - 3'd1 : 3'd0;
            credit <= credit - {{CREDIT-1{1'b0}}, pixel} + {{CREDIT-1{1'b0}}, out_taken};
        end
        if (cmd_take) begin
            op <= cmd_op;
            window <= cmd[`ERT_MAC_WINDOW];
            x_zero <= is_table ? 8'h80 : (cmd_op == `ERT_OP_MAX) ? 8'd0 : cmd[`ERT_MAC_X_ZERO];
            w_zero <= cmd[`ERT_MAC_W_ZERO];
            w_next <= cmd[`ERT_MAC_W_BASE];
            w_group <= cmd[`ERT_MAC_W_BASE];
            w_step <= cmd[`ERT_MAC_W_STEP];
            t_base <= cmd[`ERT_MAC_T_BASE];
            kh <= cmd[`ERT_MAC_KH];
            kw <= cmd[`ERT_MAC_KW];
            sw <= cmd[`ERT_MAC_SW];
            begun <= 1'b1;
            first <= 1'b1;
        end else if (taken) begin
            first <= src_last;
            begun <= begun & ~src_last;
            w_next <= group ? w_group_next : src_last ? w_group : w_next + 16'd1;
            if (group) w_group <= w_group_next;
        end
    end

    // 0: the item, while its weights leave the memory; 1: both, with what the command says about them. The command
    // in the registers above is the item's until the end of cycle 0.
    reg valid0, first0, last0, group0, begin0, valid1, first1, last1, group1, begin1;
    reg [63:0] x0, x1;
    reg [7:0] x_zero1, w_zero1;
    reg [11:0] t_base1;
    reg pair1, fixed1, second1, top1, table1;
    always @(posedge clk) begin
        valid0 <= taken & ~rst;
        first0 <= first;
        last0 <= src_last;
        group0 <= group;
        begin0 <= begun;
        x0 <= src;
        valid1 <= valid0 & ~rst;
        first1 <= first0;
        last1 <= last0;
        group1 <= group0;
        begin1 <= begin0;
        x1 <= x0;
        x_zero1 <= x_zero;
        w_zero1 <= w_zero;
        t_base1 <= t_base;
        pair1 <= op == `ERT_OP_MUL;
        top1 <= op == `ERT_OP_MAX;
        second1 <= op == `ERT_OP_ADD;
        table1 <= (op == `ERT_OP_ADD) | (op == `ERT_OP_TABLE);
        fixed1 <= (op == `ERT_OP_ADD) | (op == `ERT_OP_TABLE) | (op == `ERT_OP_SUM) | (op == `ERT_OP_MAX);
    end

    // Weights; and the lanes, which give the sums when `ending`: 3 cycles after the last item was in 1, or 5.
    wire [255:0] sums;
    wire ending;
    generate
        if (BINARY == 0) begin : bytes
            wire [63:0] w1;
            ert_ram #(.WIDTH(64), .DEPTH(WEIGHT_WORDS)) weights (
                .clk(clk), .write(w_write), .write_at(w_write_at[BITS-1:0]), .write_data(w_write_data),
                .read_at(w_next[BITS-1:0]), .read_data(w1)
            );
            ert_lanes lanes (
                .clk(clk), .rst(rst), .valid(valid1), .first(first1), .last(last1), .x(x1), .w(w1),
                .x_zero(x_zero1), .w_zero(w_zero1), .pair(pair1), .fixed(fixed1), .second(second1), .top(top1),
                .sums(sums)
            );
            reg [5:1] lasts; // as far behind the item as its sum
            always @(posedge clk) lasts <= {lasts[4:1], valid1 & last1} & {5{~rst}};
            assign ending = lasts[5];
        end else begin : bits
            genvar l;
            wire [511:0] w1;
            wire [127:0] counts;
            reg [63:0] word, word_then;
            reg word1, and1, last2, word2;
            for (l = 0; l < 8; l = l + 1) begin : lane
                ert_ram #(.WIDTH(64), .DEPTH(WEIGHT_WORDS)) weights (
                    .clk(clk), .write(w_write & (w_write_at[2:0] == l)), .write_at(w_write_at[3 +: BITS]),
                    .write_data(w_write_data), .read_at(w_next[BITS-1:0]), .read_data(w1[64*l +: 64])
                );
                // OR and AND leave their word as 8 sums of a byte each, for Mode.WORD.
                assign sums[32*l +: 32] = word2 ? {24'd0, word_then[8*l +: 8]} : {16'd0, counts[16*l +: 16]};
            end
            ert_xnor lanes (
                .clk(clk), .rst(rst), .in_valid(valid1), .first(first1), .last(last1), .x(x1), .w(w1),
                .out_valid(ending), .acc(counts)
            );
            always @(posedge clk) begin
                word1 <= (op == `ERT_OP_OR) | (op == `ERT_OP_AND);
                and1 <= op == `ERT_OP_AND;
                if (valid1) word <= first1 ? x1 : and1 ? word & x1 : word | x1;
                if (valid1 & last1) word2 <= word1;
                last2 <= valid1 & last1;
                if (last2) word_then <= word;
            end
            wire unused_signed = &{1'b0, x_zero1, w_zero1, pair1, fixed1, top1};
        end
    endgenerate
    reg group_then, begin_then, table_then, both_then;  // of the pixel whose sums are next
    reg [11:0] t_base_then;
    always @(posedge clk) begin
        if (valid1 & last1) begin
            group_then <= group1;
            begin_then <= begin1;
            table_then <= table1;
            both_then <= second1;
            t_base_then <= t_base1;
        end
    end

    // The sums leave, a lane a cycle.
    reg [255:0] leaving;
    reg [2:0] lane;
    assign lane_sum = leaving[31:0];
    always @(posedge clk) begin
        if (rst) lane_valid <= 1'b0;
        else lane_valid <= ending | (lane_valid & ~lane_last);
        lane <= ending ? 3'd0 : lane + 3'd1;
        lane_last <= ~ending & (lane == 3'd6);
        leaving <= ending ? sums : {32'd0, leaving[255:32]};
        if (ending) begin
            lane_begin <= begin_then;
            lane_group <= group_then;
            lane_table <= table_then;
            lane_both <= both_then;
            lane_t_base <= t_base_then;
        end
    end
endmodule
