// The loader: words from the external memory, or from the scratchpad, into the scratchpad and the memories of the
// cores. Requests run ahead of the data, by whole commands if need be; the data of commands come in order.
//
// Bus: a request for rd_more + 1 words from word rd_addr goes out where rd_valid and rd_ready; its words come in
// where data_valid and data_ready, in order of the requests.
`include "ert_isa.vh"
module ert_load (
    input wire clk,
    input wire rst,
    input wire cmd_ready,
    output wire cmd_take,
    input wire [`ERT_LD_BITS-1:0] cmd,
    output wire done,  // one cycle for each command completed
    output wire ext_rd_valid,
    input wire ext_rd_ready,
    output wire [23:0] ext_rd_addr,
    output wire [15:0] ext_rd_more,
    input wire ext_data_valid,
    output wire ext_data_ready,
    input wire [63:0] ext_data,
    output wire rd_valid,
    input wire rd_ready,
    output wire [18:0] rd_addr,
    input wire rd_data_valid,
    input wire [63:0] rd_data,
    output wire wr_valid,
    input wire wr_ready,
    output wire [18:0] wr_addr,
    output wire [63:0] wr_data,
    output wire wr_last,
    input wire wr_done,
    output reg [15:0] w_write,  // by core
    output reg [18:0] w_at,
    output reg [63:0] w_data,
    output reg [15:0] p_write,
    output reg [11:0] p_at,
    output reg [71:0] p_data,  // shift, multiplier, bias
    output reg t_write,
    output reg [6:0] t_at
);
    localparam AHEAD = 5'd16;  // words of the scratchpad that are on their way
    localparam PLAN = 1 + 2 + 16 + 19 + 16 + 16;

    // Requests.
    wire plan_ready;
    reg asking, from_scratch;
    reg [15:0] row_words;
    reg [23:0] row_at, word_at, stride;
    wire row_last, word_last;
    reg [4:0] ahead;
    wire scratch_asked, scratch_used;
    wire word_step = asking & from_scratch & scratch_asked;
    wire row_step = asking & (from_scratch ? word_step & word_last : ext_rd_ready);
    assign cmd_take = cmd_ready & plan_ready & ~asking;
    assign ext_rd_valid = asking & ~from_scratch;
    assign ext_rd_addr = row_at;
    assign ext_rd_more = row_words;
    assign rd_valid = asking & from_scratch & (ahead != 5'd0);
    assign rd_addr = word_at[18:0];
    assign scratch_asked = rd_valid & rd_ready;
    ert_counter #(.BITS(16)) ask_words (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_LD_ROW_WORDS]), .step(word_step), .last(word_last)
    );
    ert_counter #(.BITS(16)) ask_rows (
        .clk(clk), .load(cmd_take), .value(cmd[`ERT_LD_ROWS]), .step(row_step), .last(row_last)
    );
    always @(posedge clk) begin
        if (rst) begin
            asking <= 1'b0;
            ahead <= AHEAD;
        end else begin
            asking <= cmd_take | (asking & ~(row_step & row_last));
            ahead <= ahead - {4'd0, scratch_asked} + {4'd0, scratch_used};
        end
        if (cmd_take) begin
            from_scratch <= cmd[`ERT_LD_SCRATCH];
            row_words <= cmd[`ERT_LD_ROW_WORDS];
            row_at <= cmd[`ERT_LD_SRC_ADDR];
            word_at <= cmd[`ERT_LD_SRC_ADDR];
            stride <= cmd[`ERT_LD_STRIDE];
        end else if (row_step) begin
            row_at <= row_at + stride;
            word_at <= row_at + stride;
        end else if (word_step) word_at <= word_at + 24'd1;
    end

    // What is to be done with the data.
    wire plan_valid, plan_taken;
    wire [PLAN-1:0] plan;
    ert_fifo #(.WIDTH(PLAN), .DEPTH(4)) plans (
        .clk(clk), .rst(rst), .in_valid(cmd_take), .in_ready(plan_ready),
        .in_data({cmd[`ERT_LD_SCRATCH], cmd[`ERT_LD_DST], cmd[`ERT_LD_MASK], cmd[`ERT_LD_DST_ADDR],
            cmd[`ERT_LD_ROWS], cmd[`ERT_LD_ROW_WORDS]}),
        .out_valid(plan_valid), .out_ready(plan_taken), .out_data(plan)
    );

    // Words, from either side.
    wire ext_valid, own_valid, unused_own_ready;
    wire [63:0] ext_word, own_word;
    reg busy, own;
    wire use_word;
    ert_slot #(.WIDTH(64)) outside (
        .clk(clk), .rst(rst), .in_valid(ext_data_valid), .in_ready(ext_data_ready), .in_data(ext_data),
        .out_valid(ext_valid), .out_ready(use_word & ~own), .out_data(ext_word)
    );
    ert_fifo #(.WIDTH(64), .DEPTH(16)) inside (
        .clk(clk), .rst(rst), .in_valid(rd_data_valid), .in_ready(unused_own_ready), .in_data(rd_data),
        .out_valid(own_valid), .out_ready(use_word & own), .out_data(own_word)
    );
    wire unused = &{1'b0, unused_own_ready};
    assign scratch_used = use_word & own;
    wire have = busy & (own ? own_valid : ext_valid);
    wire [63:0] word = own ? own_word : ext_word;

    // Where they go. Commands complete in order: one for another kind of memory waits for those before it.
    reg [1:0] dst;
    reg [15:0] mask;
    reg [18:0] at;
    reg [3:0] slot;  // of the 9 words of 8 parameters
    reg [4:0] waiting;  // writes to the scratchpad that are a command's last and not done
    reg [7:0] spreading;  // parameters of a group being written
    wire [1:0] next_dst = plan[PLAN-2 -: 2];
    wire more_last, rows_last;
    wire to_scratch = dst == `ERT_MEMORY_SCRATCH;
    wire to_params = dst == `ERT_MEMORY_PARAMS;
    assign use_word = have & (~to_scratch | wr_ready);
    wire fin = use_word & more_last & rows_last;
    reg late, weights_done, params_fin;
    wire quiet = (waiting == 5'd0) & ~late & ~weights_done & (spreading == 8'd0);
    assign plan_taken = plan_valid & ~busy & (quiet | (next_dst == `ERT_MEMORY_SCRATCH & dst == next_dst & ~waiting[4]));
    assign wr_valid = have & to_scratch;
    assign wr_addr = at;
    assign wr_data = word;
    assign wr_last = more_last & rows_last;
    ert_counter #(.BITS(16)) words (
        .clk(clk), .load(plan_taken), .value(plan[15:0]), .step(use_word), .last(more_last)
    );
    ert_counter #(.BITS(16)) rows (
        .clk(clk), .load(plan_taken), .value(plan[31:16]), .step(use_word & more_last), .last(rows_last)
    );
    always @(posedge clk) begin
        if (rst) begin
            busy <= 1'b0;
            waiting <= 5'd0;
            late <= 1'b0;
            weights_done <= 1'b0;
            dst <= 2'd0;
        end else begin
            busy <= plan_taken | (busy & ~fin);
            waiting <= waiting + {4'd0, fin & to_scratch} - {4'd0, wr_done};
            late <= fin & ~to_scratch & ~to_params;
            weights_done <= late;
            if (plan_taken) dst <= next_dst;
        end
        if (plan_taken) begin
            own <= plan[PLAN-1];
            mask <= plan[66:51];
            at <= plan[50:32];
            slot <= 4'd0;
        end else if (use_word) begin
            slot <= (slot == 4'd8) ? 4'd0 : slot + 4'd1;
            if (~to_params) at <= at + 19'd1;
            else if (slot == 4'd8) at <= at + 19'd8;
        end
    end
    assign done = wr_done | weights_done | params_fin;

    // Weights and the table: a register on the way.
    always @(posedge clk) begin
        w_write <= (use_word & dst == `ERT_MEMORY_WEIGHTS & ~rst) ? mask : 16'd0;
        t_write <= use_word & dst == `ERT_MEMORY_TABLE & ~rst;
        w_at <= at;
        t_at <= at[6:0];
        w_data <= word;
    end

    // Parameters: 8 words wait for the ninth, their shifts; then one entry a cycle, beside the next words.
    (* ram_style = "distributed" *) reg [63:0] group [0:15];
    reg half, group_fin;
    reg [2:0] entry;
    reg [63:0] shifts;
    reg [11:0] entry_at;
    reg [15:0] entry_mask;
    wire whole = use_word & to_params & (slot == 4'd8);
    always @(posedge clk) begin
        if (use_word & to_params & ~slot[3]) group[{half, slot[2:0]}] <= word;
        if (rst) begin
            half <= 1'b0;
            spreading <= 8'd0;
            p_write <= 16'd0;
            params_fin <= 1'b0;
            group_fin <= 1'b0;
        end else begin
            half <= half ^ whole;
            spreading <= whole ? 8'hff : {1'b0, spreading[7:1]};
            p_write <= spreading[0] ? entry_mask : 16'd0;
            params_fin <= spreading[0] & ~spreading[1] & group_fin;
            if (whole) group_fin <= fin;
        end
        if (whole) begin
            entry <= 3'd0;
            shifts <= word;
            entry_at <= at[11:0];
            entry_mask <= mask;
        end else begin
            entry <= entry + 3'd1;
            shifts <= {8'd0, shifts[63:8]};
            entry_at <= entry_at + 12'd1;
        end
        p_at <= entry_at;
        p_data <= {shifts[7:0], group[{~half, entry}]};
    end
endmodule
