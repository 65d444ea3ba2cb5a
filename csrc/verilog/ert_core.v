// A compute core: Read, Mac and Out, each with a list of commands of its own (codegen/hls/isa.py). A command is
// complete when the write with wr_last is in the scratchpad.
`include "ert_isa.vh"
module ert_core #(
    parameter BINARY = 0,
    parameter WEIGHT_WORDS = 2048,
    parameter PARAM_ENTRIES = 512,
    parameter FIFO = 16,
    parameter OUT_FIFO = 8
) (
    input wire clk,
    input wire rst,
    input wire read_ready,  // the next command of each section, from ert_fetch
    output wire read_take,
    input wire [`ERT_RD_BITS-1:0] read_cmd,
    input wire mac_ready,
    output wire mac_take,
    input wire [`ERT_MAC_BITS-1:0] mac_cmd,
    input wire out_ready,
    output wire out_take,
    input wire [`ERT_OUT_BITS-1:0] out_cmd,
    output wire working,
    output wire rd_valid,
    input wire rd_ready,
    output wire [18:0] rd_addr,
    input wire rd_data_valid,
    input wire [63:0] rd_data,
    output wire wr_valid,
    input wire wr_ready,
    output wire [18:0] wr_addr,
    output wire [63:0] wr_data,
    output wire [7:0] wr_bytes,
    output wire wr_last,
    input wire w_write,
    input wire [18:0] w_at,
    input wire [63:0] w_data,
    input wire p_write,
    input wire [11:0] p_at,
    input wire [71:0] p_data
);
    // A simulator has its code once, not once a core:
    // verilator no_inline_module
    wire out_free;
    assign out_take = mac_take;

    // What the loader writes travels far: a register at its end.
    reg write_w, write_p;
    reg [18:0] write_w_at;
    reg [63:0] write_w_data;
    reg [11:0] write_p_at;
    reg [71:0] write_p_data;
    always @(posedge clk) begin
        write_w <= w_write;
        write_w_at <= w_at;
        write_w_data <= w_data;
        write_p <= p_write;
        write_p_at <= p_at;
        write_p_data <= p_data;
    end

    wire item_valid, item_ready, item_last, item_end;
    wire [63:0] item;
    ert_read #(.FIFO(FIFO)) read (
        .clk(clk), .rst(rst), .cmd_ready(read_ready), .cmd_take(read_take), .cmd(read_cmd),
        .rd_valid(rd_valid), .rd_ready(rd_ready), .rd_addr(rd_addr), .rd_data_valid(rd_data_valid), .rd_data(rd_data),
        .item_valid(item_valid), .item_ready(item_ready), .item(item), .item_last(item_last), .item_end(item_end)
    );

    wire lane_valid, lane_last, lane_begin, lane_group, lane_table, lane_both, pixel_taken;
    wire [31:0] lane_sum;
    wire [11:0] lane_t_base;
    ert_mac #(.BINARY(BINARY), .WEIGHT_WORDS(WEIGHT_WORDS), .OUT_FIFO(OUT_FIFO)) mac (
        .clk(clk), .rst(rst), .cmd_ready(mac_ready), .cmd_take(mac_take), .cmd(mac_cmd),
        .out_cmd_ready(out_free),
        .item_valid(item_valid), .item_ready(item_ready), .item(item), .item_last(item_last), .item_end(item_end),
        .w_write(write_w), .w_write_at(write_w_at), .w_write_data(write_w_data),
        .lane_valid(lane_valid), .lane_sum(lane_sum), .lane_last(lane_last), .lane_begin(lane_begin),
        .lane_group(lane_group), .lane_table(lane_table), .lane_both(lane_both), .lane_t_base(lane_t_base),
        .out_taken(pixel_taken), .working(working)
    );
    ert_out #(.PARAM_ENTRIES(PARAM_ENTRIES), .FIFO(OUT_FIFO)) out (
        .clk(clk), .rst(rst), .next_ready(out_ready), .next_free(out_free), .next_take(mac_take), .next_cmd(out_cmd),
        .lane_valid(lane_valid), .lane_sum(lane_sum), .lane_last(lane_last), .lane_begin(lane_begin),
        .lane_group(lane_group), .lane_table(lane_table), .lane_both(lane_both), .lane_t_base(lane_t_base),
        .taken(pixel_taken),
        .p_write(write_p), .p_write_at(write_p_at), .p_write_data(write_p_data),
        .wr_valid(wr_valid), .wr_ready(wr_ready), .wr_addr(wr_addr), .wr_data(wr_data), .wr_bytes(wr_bytes),
        .wr_last(wr_last)
    );
endmodule
