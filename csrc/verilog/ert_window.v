// A sliding window over columns: what Read sends once is multiplied kw / sw times.
//
// The last 8 columns of up to 8 words are in a ring. A pixel is kw columns, column by column, and may begin before
// all of them are there; the pixel behind it begins sw columns on, and after the last of a row all is anew.
// Without `window`, items go through as they are.
module ert_window (
    input wire clk,
    input wire rst,
    input wire start,  // of a command: the next items are its own
    input wire window,
    input wire [2:0] kh,  // one less, and so the next two
    input wire [2:0] kw,
    input wire [1:0] sw,
    input wire row_end,  // the present pixel is the last of its row
    input wire in_valid,
    output wire in_ready,
    input wire [63:0] in_item,
    input wire in_last,  // of its column, or of its pixel
    input wire in_end,
    output wire out_valid,
    input wire out_taken,  // implies out_valid
    output wire [63:0] out_item,
    output wire out_last
);
    (* ram_style = "distributed" *) reg [63:0] ring [0:63];
    reg [2:0] in_column, in_row;
    reg ended;
    reg signed [4:0] loaded;  // whole columns from the pixel's first; below 0, so many are still to be skipped
    wire put = window & in_valid & ~ended & (loaded != 5'sd8);
    wire put_column = put & in_last;
    assign in_ready = window ? ~ended & (loaded != 5'sd8) : out_taken;
    always @(posedge clk) if (put) ring[{in_column, in_row}] <= in_item;

    reg [2:0] first, column, row, kx;
    reg row_last, kx_last;
    wire there = ~loaded[4] & (loaded[3:0] > {1'b0, kx});
    wire [2:0] skip = row_end ? kw : {1'b0, sw};
    wire [2:0] first_next = first + skip + 3'd1;
    wire step = window & out_taken;
    wire pixel_end = step & row_last & kx_last;
    assign out_valid = window ? there : in_valid;
    assign out_item = window ? ring[{column, row}] : in_item;
    assign out_last = window ? row_last & kx_last : in_last;

    always @(posedge clk) begin
        if (rst | start) begin
            in_column <= 3'd0;
            in_row <= 3'd0;
            ended <= 1'b0;
            loaded <= 5'sd0;
            first <= 3'd0;
            column <= 3'd0;
            row <= 3'd0;
            kx <= 3'd0;
        end else begin
            if (put) in_row <= in_last ? 3'd0 : in_row + 3'd1;
            if (put_column) in_column <= in_column + 3'd1;
            if (put & in_end) ended <= 1'b1;
            loaded <= loaded + $signed({4'd0, put_column})
                - (pixel_end ? $signed({2'b0, skip}) + 5'sd1 : 5'sd0);
            if (step) row <= row_last ? 3'd0 : row + 3'd1;
            if (pixel_end) begin
                first <= first_next;
                column <= first_next;
                kx <= 3'd0;
            end else if (step & row_last) begin
                column <= column + 3'd1;
                kx <= kx + 3'd1;
            end
        end
    end
    // As registers: these decide, in the cycle they are used, whether the item may go at all.
    wire [2:0] row_then = step ? (row_last ? 3'd0 : row + 3'd1) : row;
    wire [2:0] kx_then = pixel_end ? 3'd0 : (step & row_last) ? kx + 3'd1 : kx;
    always @(posedge clk) begin
        row_last <= (rst | start) ? kh == 3'd0 : row_then == kh;
        kx_last <= (rst | start) ? kw == 3'd0 : kx_then == kw;
    end
endmodule
