// The softmax unit: docs/numerics.md, section 5, of `rows` rows of `depth` bytes in the scratchpad.
//
// command: the fields of isa.Softmax as they are packed. Words are read through rd_* (a request; its answer
// comes in order, with no way to hold it back) and written through wr_*, whole ones: behind a row's last byte
// follow zeros. done: one cycle, after the command's last write was accepted. y may be x, not overlap otherwise.
//
// A row's bytes are read three times: for their maximum, for the sum of their exponentials, for the results.
// Each pass takes a cycle a byte, and between the last two, 1 / sum takes some 60: so 3 * depth + 100 cycles a
// row. The same multiplier serves Newton's steps and the products of the third pass.
//
// The third pass halts, from the bytes to the results (`step`), while a full word waits for wr_ready.
module ert_softmax #(
    parameter TABLE_BITS = 7  // of an address of the table: 128 words are the 256 exponentials of one layer
) (
    input wire clk,
    input wire rst,
    input wire command_valid,
    output wire command_ready,
    /* verilator lint_off UNUSEDSIGNAL */  // addresses are multiples of 8
    input wire [117:0] command,
    /* verilator lint_on UNUSEDSIGNAL */
    output reg done,

    output wire rd_valid,
    input wire rd_ready,
    output wire [18:0] rd_addr,
    input wire rsp_valid,
    input wire [63:0] rsp_data,

    output reg wr_valid,
    input wire wr_ready,
    output reg [18:0] wr_addr,
    output reg [63:0] wr_data,
    output wire [7:0] wr_bytes,

    input wire table_valid,
    input wire [TABLE_BITS-1:0] table_addr,
    input wire [63:0] table_data
);
    localparam IDLE = 3'd0, MAX = 3'd1, SUM = 3'd2, NORMALIZE = 3'd3, INVERT = 3'd4, OUT = 3'd5, FLUSH = 3'd6;
    localparam signed [31:0] GUESS_0 = 1515870810, GUESS_1 = -1010580540;  // 48/17, -32/17 in Q2.29
    localparam signed [31:0] ONE = 1 << 29;

    reg [2:0] state;
    wire step;  // of the bytes; nothing else halts

    // Beside each byte travel valid, ends (its word) and last (of its row). By stage: 1 below the maximum, 2 and
    // 3 the table, 4 to 7 the multiplier, 8 shifted, 9 the result.
    reg [9:1] valid, ends, last;
    wire summed = step & valid[3] & last[3];
    wire put = step & valid[9];

    // The command, addresses in words.
    reg [18:0] x, y, x_stride, y_stride;
    reg [11:0] rows_left;  // behind this one
    reg [9:0] depth;  // less one
    reg [TABLE_BITS-1:0] t_base;
    wire compared, flat_now, normal, inverted, flushed;
    wire next_row = put & last[9] & (rows_left != 12'd0);
    reg begin_pass;
    assign command_ready = state == IDLE;

    always @(posedge clk) begin
        if (rst) begin
            state <= IDLE;
            begin_pass <= 1'b0;
            done <= 1'b0;
        end else begin
            begin_pass <= 1'b0;
            done <= 1'b0;
            case (state)
                IDLE: if (command_valid) {state, begin_pass} <= {MAX, 1'b1};
                MAX: if (compared) {state, begin_pass} <= {SUM, 1'b1};
                SUM: if (summed) state <= NORMALIZE;
                NORMALIZE: if (flat_now) {state, begin_pass} <= {OUT, 1'b1};
                    else if (normal) state <= INVERT;
                INVERT: if (inverted) {state, begin_pass} <= {OUT, 1'b1};
                OUT: if (next_row) {state, begin_pass} <= {MAX, 1'b1};
                    else if (put & last[9]) state <= FLUSH;
                default: if (flushed) {state, done} <= {IDLE, 1'b1};
            endcase
        end
        if (command_ready) begin
            x <= command[21:3];
            y <= command[43:25];
            x_stride <= command[65:47];
            y_stride <= command[87:69];
            rows_left <= command[99:88];
            depth <= command[109:100];
            t_base <= command[110 +: TABLE_BITS];
        end else if (next_row) begin
            x <= x + x_stride;
            y <= y + y_stride;
            rows_left <= rows_left - 12'd1;
        end
    end

    // Words of the row: one is asked for while the one before is taken apart.
    reg [18:0] at;
    reg [7:0] ask_left;  // words to ask for
    reg pending, next_full;
    reg [63:0] next_word;
    wire load;
    assign rd_valid = (ask_left != 8'd0) & ~pending & ~next_full;
    assign rd_addr = at;
    always @(posedge clk) begin
        if (rsp_valid) next_word <= rsp_data;
        if (rst) begin
            ask_left <= 8'd0;
            pending <= 1'b0;
            next_full <= 1'b0;
        end else begin
            pending <= (rd_valid & rd_ready) | (pending & ~rsp_valid);
            next_full <= rsp_valid | (next_full & ~load);
            if (begin_pass) ask_left <= {1'b0, depth[9:3]} + 8'd1;
            else if (rd_valid & rd_ready) ask_left <= ask_left - 8'd1;
        end
        if (begin_pass) at <= x;
        else if (rd_valid & rd_ready) at <= at + 19'd1;
    end

    // Bytes: one a step.
    reg [63:0] bytes;
    reg [3:0] bytes_left;  // in this word
    reg [10:0] row_left;  // behind this word
    wire full_word = row_left > 11'd8;
    wire byte_valid = bytes_left != 4'd0;
    wire byte_ends = bytes_left == 4'd1;
    wire byte_last = byte_ends & (row_left == 11'd0);
    assign load = step & next_full & (bytes_left < 4'd2);
    assign compared = step & byte_last;
    always @(posedge clk) begin
        if (rst) bytes_left <= 4'd0;
        else if (load) bytes_left <= full_word ? 4'd8 : row_left[3:0];
        else if (step & byte_valid) bytes_left <= bytes_left - 4'd1;
        if (load) bytes <= next_word;
        else if (step) bytes <= {8'd0, bytes[63:8]};
        if (begin_pass) row_left <= {1'b0, depth} + 11'd1;
        else if (load) row_left <= full_word ? row_left - 11'd8 : 11'd0;
    end

    // Bytes of the first pass end with the comparison, those of the second at the sum.
    always @(posedge clk) begin
        if (rst) valid <= 9'd0;
        else if (step) valid <= {valid[8:4], valid[3] & (state == OUT), valid[2:1], byte_valid & (state != MAX)};
        if (step) begin
            ends <= {ends[8:1], byte_ends};
            last <= {last[8:1], byte_last};
        end
    end

    // In the first pass, the maximum; then, how far a byte is below it.
    reg signed [7:0] highest;
    reg [7:0] below;
    always @(posedge clk) begin
        if (begin_pass & (state == MAX)) highest <= -8'sd128;
        else if (step & byte_valid & (state == MAX) & ($signed(bytes[7:0]) > highest)) highest <= bytes[7:0];
        if (step) below <= highest - bytes[7:0];
    end

    // Its exponential, Q0.31: two to a word of the table.
    (* no_rw_check *) reg [63:0] exponentials [0:(1 << TABLE_BITS)-1];
    reg [63:0] pair;
    reg odd;
    reg [31:0] e;
    always @(posedge clk) begin
        if (table_valid) exponentials[table_addr] <= table_data;
        if (step) begin
            pair <= exponentials[t_base + {{(TABLE_BITS-7){1'b0}}, below[7:1]}];
            odd <= below[0];
            e <= odd ? pair[63:32] : pair[31:0];
        end
    end

    // The sum, in Q12.19. Afterwards the same register is shifted until its highest bit is set; `scale` is
    // how many bits, beyond 23, the products are shifted then.
    reg [31:0] total;
    reg [3:0] scale;
    reg flat;  // the sum is past 512: -128 everywhere
    /* verilator lint_off UNUSEDSIGNAL */
    wire [32:0] rounded = {total, 1'b1} + {12'd0, e[31:11]};  // the bit below carries
    /* verilator lint_on UNUSEDSIGNAL */
    assign flat_now = (scale == 4'd12) & (total[31:28] != 4'd0);
    assign normal = total[31] | (scale == 4'd0);  // the latter, lest a table of zeros stops everything
    always @(posedge clk) begin
        if (state == MAX) total <= 32'd0;
        else if (step & valid[3] & (state == SUM)) total <= rounded[32:1];
        else if ((state == NORMALIZE) & ~total[31]) total <= {total[30:0], 1'b0};
        if (state == SUM) scale <= 4'd12;
        else if ((state == NORMALIZE) & ~total[31]) scale <= scale - 4'd1;
        if ((state == NORMALIZE) & (scale == 4'd12)) flat <= flat_now;
    end

    // The multiplier. Newton's method for 1 / sum, h half of the normalized sum, in turns of two:
    // t = 1 - g * h, g += g * t; before them g = 48/17 - 32/17 * h. Then t is the result.
    reg signed [31:0] g, t;
    reg [2:0] turn;
    reg [2:0] waited;
    wire newton = state == INVERT;
    wire signed [31:0] h = {1'b0, total[31:1]};
    wire signed [31:0] factor_a = (newton & ((turn == 3'd0) | turn[0])) ? h : t;
    wire signed [31:0] factor_b = newton ? g : e;
    /* verilator lint_off UNUSEDSIGNAL */
    wire signed [63:0] product;
    /* verilator lint_on UNUSEDSIGNAL */
    wire signed [31:0] high = product[62:31];
    ert_multiply multiplies (
        .clk(clk), .enable(step), .a(factor_a), .b(factor_b), .half(1'b1), .product(product)
    );
    wire turned = (waited == 3'd4) | (turn == 3'd7);
    assign inverted = turn == 3'd7;
    always @(posedge clk) begin
        if (~newton) begin
            turn <= 3'd0;
            waited <= 3'd0;
            if (state == NORMALIZE) g <= GUESS_1;
        end else begin
            waited <= turned ? 3'd0 : waited + 3'd1;
            if (turned) begin
                turn <= turn + 3'd1;
                if (turn == 3'd0) g <= high + GUESS_0;
                else if (~turn[0]) g <= g + {high[29:0], 2'd0};
                if (turn[0]) t <= (turn == 3'd7) ? (g[30] ? 32'h7fffffff : {g[30:0], 1'b0}) : ONE - high;
            end
        end
    end

    // The product's bits from 23 + scale and the one below; rounded, less 128, at most 127.
    reg [9:0] shifted;
    reg [7:0] result;
    wire [9:0] by8 = scale[3] ? {8'd0, high[31:30]} : high[31:22];
    wire [9:0] by4 = scale[2] ? {4'd0, by8[9:4]} : by8;
    wire [9:0] by2 = scale[1] ? {2'd0, by4[9:2]} : by4;
    wire [8:0] up = shifted[9:1] + {8'd0, shifted[0]};
    always @(posedge clk) begin
        if (step) begin
            shifted <= scale[0] ? {1'd0, by2[9:1]} : by2;
            result <= flat ? 8'h80 : up[8] ? 8'h7f : {~up[7], up[6:0]};
        end
    end

    // Gathered into a word, which moves on to a register and waits there to be written.
    reg [63:0] word;
    reg [2:0] lane;
    reg word_full;
    reg [18:0] out_at;
    wire move = word_full & (~wr_valid | wr_ready);
    assign step = ~(word_full & wr_valid);
    assign flushed = ~(word_full | wr_valid);
    assign wr_bytes = 8'hff;
    always @(posedge clk) begin
        if (rst) begin
            word_full <= 1'b0;
            wr_valid <= 1'b0;
            lane <= 3'd0;
        end else begin
            word_full <= (put & ends[9]) | (word_full & ~move);
            wr_valid <= move | (wr_valid & ~wr_ready);
            if (put) lane <= ends[9] ? 3'd0 : lane + 3'd1;
        end
        if (begin_pass & (state == OUT)) out_at <= y;
        else if (move) out_at <= out_at + 19'd1;
        if (move) begin
            wr_addr <= out_at;
            wr_data <= word;
        end
    end
    genvar i;
    generate
        for (i = 0; i < 8; i = i + 1) begin : lanes
            always @(posedge clk) begin
                if (put & (lane == i)) word[8*i +: 8] <= result;
                else if (put & (lane == 3'd0)) word[8*i +: 8] <= 8'd0;
            end
        end
    endgenerate
endmodule
