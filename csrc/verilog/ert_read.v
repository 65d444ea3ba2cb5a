// The Read section of a core: operands out of the scratchpad, one item a cycle for Mac.
//
// ert_walk gives runs; here they are cut where a word ends, a piece a cycle, and each word is asked for once: the
// next piece that lies in it, of this run or the next, uses it again. Descriptions of the pieces go through one
// FIFO, their words through another, up to FIFO of them ahead of Mac.
//
// An item is 8 bytes, one for each lane: a word, or the same byte 8 times.
`include "ert_isa.vh"
module ert_read #(
    parameter FIFO = 16
) (
    input wire clk,
    input wire rst,
    input wire cmd_ready,
    output wire cmd_take,
    input wire [`ERT_RD_BITS-1:0] cmd,
    output wire rd_valid,
    input wire rd_ready,
    output wire [18:0] rd_addr,
    input wire rd_data_valid,
    input wire [63:0] rd_data,
    output wire item_valid,
    input wire item_ready,
    output wire [63:0] item,
    output wire item_last,  // of its pixel
    output wire item_end  // of its command
);
    localparam CREDIT = $clog2(FIFO + 1) + 1;
    localparam ALL = FIFO;
    localparam META = 19;

    // Runs.
    wire walk_valid, run_valid, run_ready, unused_walk_ready;
    wire [50:0] walk_run, run;
    ert_walk walk (
        .clk(clk), .rst(rst), .cmd_ready(cmd_ready), .cmd_take(cmd_take), .cmd(cmd),
        .run_valid(walk_valid), .run_taken(run_valid & run_ready), .run(walk_run)
    );
    ert_fifo #(.WIDTH(51), .DEPTH(8)) runs (
        .clk(clk), .rst(rst), .in_valid(walk_valid), .in_ready(unused_walk_ready), .in_data(walk_run),
        .out_valid(run_valid), .out_ready(run_ready), .out_data(run)
    );

    // Pieces: what of the run at `run` is left (one less than the bytes or words), and where.
    reg busy, words, is_end, is_last, is_first, inside;
    reg [7:0] pad;
    reg [15:0] left;
    reg [21:0] address;
    reg [CREDIT-1:0] pieces_free, words_free;
    wire room = (pieces_free != 0) & (words_free != 0);
    wire [2:0] to_end = words ? 3'd0 : ~address[2:0];  // bytes of the word behind this one
    wire fits = (left[15:3] == 13'd0) & (left[2:0] <= to_end);
    wire [2:0] more = fits ? left[2:0] : to_end;
    wire cut = busy & room;
    assign run_ready = ~busy | (cut & fits);
    always @(posedge clk) begin
        if (rst) busy <= 1'b0;
        else busy <= run_valid | ~run_ready;
        if (run_ready) {left, pad, words, is_end, is_last, is_first, inside, address} <= run;
        else if (cut) begin
            left <= left + ~{13'd0, to_end};  // - to_end - 1
            address <= {address[21:3] + 19'd1, 3'd0};
            is_first <= 1'b0;
        end
    end

    // A word is asked for where it is not the one before. A piece's credit for a word comes back if not.
    reg piece_valid, piece_inside, piece_first, held;
    reg [18:0] piece_word, held_word;
    reg [META-2:0] piece;
    wire ask = piece_valid & piece_inside & (piece_first | ~held | (piece_word != held_word));
    always @(posedge clk) begin
        piece_valid <= cut & ~rst;
        piece_inside <= inside;
        piece_first <= is_first;
        piece_word <= address[21:3];
        piece <= {pad, is_end & fits, is_last & fits, words, inside, more, address[2:0]};
        if (piece_valid & piece_first) held <= piece_inside;
        else if (piece_valid & piece_inside) held <= 1'b1;
        if (piece_valid & piece_inside) held_word <= piece_word;
    end
    wire unused_ask_ready, unused_meta_ready, unused_word_ready;
    ert_fifo #(.WIDTH(19), .DEPTH(FIFO)) asks (
        .clk(clk), .rst(rst), .in_valid(ask), .in_ready(unused_ask_ready), .in_data(piece_word),
        .out_valid(rd_valid), .out_ready(rd_ready), .out_data(rd_addr)
    );

    wire meta_valid, meta_ready, word_valid, word_ready;
    wire [META-1:0] meta;
    wire [63:0] word;
    ert_fifo #(.WIDTH(META), .DEPTH(FIFO)) metas (
        .clk(clk), .rst(rst), .in_valid(piece_valid), .in_ready(unused_meta_ready), .in_data({ask, piece}),
        .out_valid(meta_valid), .out_ready(meta_ready), .out_data(meta)
    );
    ert_fifo #(.WIDTH(64), .DEPTH(FIFO)) datas (
        .clk(clk), .rst(rst), .in_valid(rd_data_valid), .in_ready(unused_word_ready), .in_data(rd_data),
        .out_valid(word_valid), .out_ready(word_ready), .out_data(word)
    );
    wire unused = &{1'b0, unused_walk_ready, unused_ask_ready, unused_meta_ready, unused_word_ready};

    always @(posedge clk) begin
        if (rst) begin
            pieces_free <= ALL[CREDIT-1:0];
            words_free <= ALL[CREDIT-1:0];
        end else begin
            pieces_free <= pieces_free - {{CREDIT-1{1'b0}}, cut} + {{CREDIT-1{1'b0}}, meta_valid & meta_ready};
            words_free <= words_free - {{CREDIT-1{1'b0}}, cut} + {{CREDIT-1{1'b0}}, piece_valid & ~ask}
                + {{CREDIT-1{1'b0}}, word_valid & word_ready};
        end
    end

    // One item a cycle of a piece, into two registers: so what Mac waits for ends here.
    reg have, have_words, have_inside, have_last, have_end;
    reg [7:0] have_pad;
    reg [2:0] behind, at;
    reg [63:0] current;
    wire room_behind;
    wire send = have & room_behind;
    wire fetch_piece = ~have | (send & (behind == 3'd0));
    wire new_word = meta[META-1];
    assign meta_ready = fetch_piece & (~new_word | word_valid);
    assign word_ready = fetch_piece & meta_valid & new_word;
    wire [7:0] one = have_inside ? current[8*at +: 8] : have_pad;
    always @(posedge clk) begin
        have <= ~rst & (fetch_piece ? meta_valid & (~new_word | word_valid) : 1'b1);
        if (fetch_piece) begin
            {have_pad, have_end, have_last, have_words, have_inside, behind, at} <= meta[META-2:0];
            if (new_word) current <= word;
        end else if (send) begin
            behind <= behind - 3'd1;
            at <= at + 3'd1;
        end
    end
    ert_slot #(.WIDTH(66)) items (
        .clk(clk), .rst(rst), .in_valid(have), .in_ready(room_behind),
        .in_data({have_end & (behind == 3'd0), have_last & (behind == 3'd0),
            (have_words & have_inside) ? current : {8{one}}}),
        .out_valid(item_valid), .out_ready(item_ready), .out_data({item_end, item_last, item})
    );
endmodule
