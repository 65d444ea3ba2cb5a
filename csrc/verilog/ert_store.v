// The storer: words of the scratchpad into the external memory. It reads ahead, the next command's words too.
//
// Bus: a request for wr_more + 1 words to word wr_addr goes out where wr_valid and wr_ready; then its words, in order
// of the requests, where data_valid and data_ready. A word that the bus has taken is seen by every read that is
// asked for from then on.
`include "ert_isa.vh"
module ert_store (
    input wire clk,
    input wire rst,
    input wire cmd_ready,
    output wire cmd_take,
    input wire [`ERT_ST_BITS-1:0] cmd,
    output reg done,  // one cycle for each command completed
    output reg ext_wr_valid,
    input wire ext_wr_ready,
    output reg [23:0] ext_wr_addr,
    output reg [19:0] ext_wr_more,
    output wire ext_data_valid,
    input wire ext_data_ready,
    output wire [63:0] ext_data,
    output wire rd_valid,
    input wire rd_ready,
    output reg [18:0] rd_addr,
    input wire rd_data_valid,
    input wire [63:0] rd_data
);
    localparam AHEAD = 5'd16;

    reg reading;
    reg [4:0] ahead;
    wire last;
    assign rd_valid = reading & (ahead != 5'd0);
    wire step = rd_valid & rd_ready;
    assign cmd_take = cmd_ready & ~reading & ~ext_wr_valid;
    wire data_taken = ext_data_valid & ext_data_ready;
    ert_counter #(.BITS(20)) words (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_ST_WORDS]), .step(step), .last(last)
    );
    always @(posedge clk) begin
        if (rst) begin
            reading <= 1'b0;
            ext_wr_valid <= 1'b0;
            ahead <= AHEAD;
        end else begin
            reading <= cmd_take | (reading & ~(step & last));
            ext_wr_valid <= cmd_take | (ext_wr_valid & ~ext_wr_ready);
            ahead <= ahead - {4'd0, step} + {4'd0, data_taken};
        end
        if (cmd_take) begin
            rd_addr <= cmd[`ERT_ST_SRC_ADDR];
            ext_wr_addr <= cmd[`ERT_ST_DST_ADDR];
            ext_wr_more <= cmd[`ERT_ST_WORDS];
        end else if (step) rd_addr <= rd_addr + 19'd1;
    end

    // The words, and beside them which is a command's last.
    wire last_valid, is_last, word_valid, unused_last_ready, unused_word_ready;
    ert_fifo #(.WIDTH(1), .DEPTH(16)) lasts (
        .clk(clk), .rst(rst), .in_valid(step), .in_ready(unused_last_ready), .in_data(last),
        .out_valid(last_valid), .out_ready(data_taken), .out_data(is_last)
    );
    ert_fifo #(.WIDTH(64), .DEPTH(16)) datas (
        .clk(clk), .rst(rst), .in_valid(rd_data_valid), .in_ready(unused_word_ready), .in_data(rd_data),
        .out_valid(word_valid), .out_ready(data_taken), .out_data(ext_data)
    );
    wire unused = &{1'b0, unused_last_ready, unused_word_ready};
    assign ext_data_valid = word_valid & last_valid;
    always @(posedge clk) done <= data_taken & is_last & ~rst;
endmodule
