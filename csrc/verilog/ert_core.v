// A compute core: Read, Mac and Out, each with its list of commands (codegen/hls/isa.py). done: one cycle of 1 for
// each command whose last byte is in the scratchpad.
`include "ert_isa.vh"
module ert_core #(
    parameter READ_FILE = "core0_rd.hex",
    parameter MAC_FILE = "core0_mac.hex",
    parameter OUT_FILE = "core0_out.hex",
    parameter READ_DEPTH = 512,
    parameter MAC_DEPTH = 512,
    parameter OUT_DEPTH = 512,
    parameter AGENTS = 3,
    parameter WEIGHT_WORDS = 2048,
    parameter PARAM_ENTRIES = 512,
    parameter FIFO = 16,
    parameter OUT_FIFO = 4
) (
    input wire clk,
    input wire rst,
    input wire start,
    input wire [11:0] count,
    input wire [12*AGENTS-1:0] completed,
    output wire begun,  // one cycle for each command that Read begins
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
    wire read_ready, read_take, mac_ready, mac_take, out_ready, out_take, out_free, out_claim;
    wire [`ERT_RD_BITS-1:0] read_cmd;
    wire [`ERT_MAC_BITS-1:0] mac_cmd;
    wire [`ERT_OUT_BITS-1:0] out_cmd;
    ert_fetch #(.FILE(READ_FILE), .BITS(`ERT_RD_BITS), .DEPTH(READ_DEPTH), .AGENTS(AGENTS)) fetch_read (
        .clk(clk), .rst(rst), .start(start), .count(count), .completed(completed),
        .ready(read_ready), .take(read_take), .command(read_cmd)
    );
    ert_fetch #(.FILE(MAC_FILE), .BITS(`ERT_MAC_BITS), .DEPTH(MAC_DEPTH)) fetch_mac (
        .clk(clk), .rst(rst), .start(start), .count(count), .completed(1'b0),
        .ready(mac_ready), .take(mac_take), .command(mac_cmd)
    );
    ert_fetch #(.FILE(OUT_FILE), .BITS(`ERT_OUT_BITS), .DEPTH(OUT_DEPTH)) fetch_out (
        .clk(clk), .rst(rst), .start(start), .count(count), .completed(1'b0),
        .ready(out_ready), .take(out_take), .command(out_cmd)
    );
    assign begun = read_take;

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
    ert_mac #(.WEIGHT_WORDS(WEIGHT_WORDS), .OUT_FIFO(OUT_FIFO)) mac (
        .clk(clk), .rst(rst), .cmd_ready(mac_ready), .cmd_take(mac_take), .cmd(mac_cmd),
        .out_cmd_ready(out_free), .out_cmd_claim(out_claim),
        .item_valid(item_valid), .item_ready(item_ready), .item(item), .item_last(item_last), .item_end(item_end),
        .w_write(write_w), .w_write_at(write_w_at), .w_write_data(write_w_data),
        .lane_valid(lane_valid), .lane_sum(lane_sum), .lane_last(lane_last), .lane_begin(lane_begin),
        .lane_group(lane_group), .lane_table(lane_table), .lane_both(lane_both), .lane_t_base(lane_t_base),
        .out_taken(pixel_taken), .working(working)
    );
    ert_out #(.PARAM_ENTRIES(PARAM_ENTRIES), .FIFO(OUT_FIFO)) out (
        .clk(clk), .rst(rst), .cmd_ready(out_ready), .cmd_take(out_take), .cmd(out_cmd),
        .cmd_claim(out_claim), .cmd_free(out_free),
        .lane_valid(lane_valid), .lane_sum(lane_sum), .lane_last(lane_last), .lane_begin(lane_begin),
        .lane_group(lane_group), .lane_table(lane_table), .lane_both(lane_both), .lane_t_base(lane_t_base),
        .taken(pixel_taken),
        .p_write(write_p), .p_write_at(write_p_at), .p_write_data(write_p_data),
        .wr_valid(wr_valid), .wr_ready(wr_ready), .wr_addr(wr_addr), .wr_data(wr_data), .wr_bytes(wr_bytes),
        .wr_last(wr_last)
    );
endmodule
