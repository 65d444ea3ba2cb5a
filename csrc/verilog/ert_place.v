// Where a core's results go: one address a pixel, in the order of the nested loops of an Out command, by additions
// alone. An address is there four cycles after the one before has been taken; a pixel comes every 8 cycles.
`include "ert_isa.vh"
module ert_place (
    input wire clk,
    input wire rst,
    input wire take,  // the command
    // verilator lint_off UNUSEDSIGNAL
    input wire [`ERT_OUT_BITS-1:0] cmd,  // unchanged in the two cycles before; its other fields are ert_out's
    // verilator lint_on UNUSEDSIGNAL
    output reg busy,
    output reg valid,
    input wire taken,
    output reg [21:0] address,
    output wire is_last,  // of its command,
    output wire is_last_group
);
    wire col_last, row_last, group_last;
    wire next_row = taken & col_last;
    wire next_group = next_row & row_last;
    ert_counter #(.BITS(14)) cols (
        .clk(clk), .load(take), .value(cmd[`ERT_OUT_COLS]), .step(taken), .last(col_last)
    );
    ert_counter #(.BITS(12)) rows (
        .clk(clk), .load(take), .value(cmd[`ERT_OUT_ROWS]), .step(next_row), .last(row_last)
    );
    ert_counter #(.BITS(12)) groups (
        .clk(clk), .load(take), .value(cmd[`ERT_OUT_GROUPS]), .step(next_group), .last(group_last)
    );
    assign is_last_group = group_last;
    assign is_last = col_last & row_last & group_last;

    // As in ert_walk: `over` is what the next row would be beyond the ring.
    function [22:0] wide;
        input [21:0] value;
        wide = {value[21], value};
    endfunction
    reg [21:0] row_wrap, base, s_group, s_row, s_row_wrap, s_col, group, row, col, sum;
    reg [22:0] beyond, over_first, over_begin, over;
    wire [21:0] by_row = over[22] ? s_row : s_row_wrap;
    reg [1:0] phase;  // 0: a place is wanted, sums follow one by one
    always @(posedge clk) begin
        row_wrap <= cmd[`ERT_OUT_S_ROW] - cmd[`ERT_OUT_RING_BYTES];
        beyond <= wide(cmd[`ERT_OUT_BASE]) - wide(cmd[`ERT_OUT_RING_END]);
        over_first <= beyond + wide(cmd[`ERT_OUT_S_ROW]);
        if (take) begin
            base <= cmd[`ERT_OUT_BASE];
            s_group <= cmd[`ERT_OUT_S_GROUP];
            s_row <= cmd[`ERT_OUT_S_ROW];
            s_row_wrap <= row_wrap;
            s_col <= cmd[`ERT_OUT_S_COL];
            over_begin <= over_first;
            group <= 22'd0;
            row <= cmd[`ERT_OUT_BASE];
            col <= 22'd0;
            over <= over_first;
        end else if (taken) begin
            col <= col_last ? 22'd0 : col + s_col;
            if (next_group) begin
                group <= group + s_group;
                row <= base;
                over <= over_begin;
            end else if (next_row) begin
                row <= row + by_row;
                over <= over + wide(by_row);
            end
        end
        sum <= group + col;
        address <= sum + row;
        if (rst) begin
            busy <= 1'b0;
            valid <= 1'b0;
            phase <= 2'd0;
        end else begin
            busy <= take | (busy & ~(taken & is_last));
            phase <= (take | taken) ? 2'd1 : (phase == 2'd1) ? 2'd2 : 2'd0;
            valid <= (valid & ~taken) | (busy & phase == 2'd2);
        end
    end
endmodule
